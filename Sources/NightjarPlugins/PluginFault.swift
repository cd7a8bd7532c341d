/// Why a plugin cannot be loaded, or why one of its declarations is refused.
package struct PluginFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of fault; bounded, so that it may be a label.
    package enum Code: String, Sendable {
        /// The file cannot be read, or is of a kind that is not loaded.
        case unreadable
        /// The source does not compile, or failed while it ran.
        case load
        /// The source used up the budget for loading.
        case limit
        /// Its own tests fail.
        case tests
        /// It cannot take over the state of the version before it.
        case state
    }

    /// The kind.
    package let code: Code
    /// The plugin's name.
    package let plugin: String
    /// What is wrong, with file and line where they are known.
    package let detail: String
    /// Where the script was, innermost first; empty where it was not running.
    package let traceback: String

    /// One line that a person can act on.
    package var description: String { "plugin \(plugin): \(detail)" }

    /// A fault of one plugin.
    package init(code: Code, plugin: String, detail: String, traceback: String = "") {
        self.code = code
        self.plugin = plugin
        self.detail = detail
        self.traceback = traceback
    }
}

/// What a declaration or an expectation gets wrong; the host adds file and line.
package struct DeclarationFault: Error, Sendable {
    /// What is wrong, and the cure where it is known.
    package let text: String

    /// A fault.
    package init(_ text: String) { self.text = text }
}
