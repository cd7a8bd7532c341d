/// What the sensitive-data filter hides, and how (signals contract, section 11).
public struct RedactionConfiguration: Sendable, Equatable {
    /// What stands in the place of a secret.
    public enum Style: String, Sendable, CaseIterable {
        /// `[REDACTED]`.
        case full
        /// The first and the last three characters (`abc…xyz`); nothing of a text of at most six.
        case partial
        /// A token that is the same for the same value within one trace and says nothing across traces: `[password:3f9a2c1d]`.
        /// What belongs to no trace, and metric labels, which outlive traces, are hidden in full.
        case pseudonymise
    }

    /// The keys hidden by default.
    public static let defaultKeys = [
        "password", "token", "secret", "key", "apikey", "auth", "authorization", "bearer", "bearertoken",
        "jwt",
        "credential", "clientsecret", "privatekey", "refresh", "ssn",
    ]

    /// Whether anything is hidden at all.
    public var isEnabled: Bool
    /// The keys whose values are hidden, compared without case and without what is no letter or digit, as a whole: `token` hides
    /// `Token` but not `promptTokens`. An attribute's key counts by its last segment as well (`app.password`), except for the
    /// name `key`, which there names what something is looked up by (`aws.s3.key`).
    public var keys: [String]
    /// What stands in the place of a secret.
    public var style: Style

    /// A configuration.
    public init(isEnabled: Bool = true, keys: [String] = defaultKeys, style: Style = .full) {
        self.isEnabled = isEnabled
        self.keys = keys
        self.style = style
    }
}
