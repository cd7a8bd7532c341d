/// What there is to say of all keys, for `nightjar serve --help`.
package enum ConfigurationManual {
    /// Each environment variable with what it means below it, within 80 columns.
    package static var variables: String {
        ConfigurationKey.all.map { "  \($0.variable)\n      \($0.help)" }.joined(separator: "\n")
    }
}
