package import NightjarSignals

/// What a test file drives: the plugin under test and what came of it. Called on the thread of the test, within its call.
package protocol PluginTestDriver: AnyObject {
    /// Does what a test asks for; nil where there is no answer.
    /// - Throws: ``DeclarationFault`` where it is not as the test expects.
    func perform(_ operation: String, _ arguments: [Value]) throws(DeclarationFault) -> Value?
}
