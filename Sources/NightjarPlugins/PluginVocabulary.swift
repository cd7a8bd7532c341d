import CNightjarLua

/// The names of what scripts can touch, for whoever checks what they wrote.
package enum PluginVocabulary {
    /// The fields of a span.
    package static let spanFields = ObjectFields.names(of: NJ_OBJECT_SPAN)

    /// "; did you mean '…'?" with the nearest of some names, empty where none is near.
    package static func suggestion(for word: String, among names: [String]) -> String {
        NightjarPlugins.suggestion(for: word, among: names)
    }
}
