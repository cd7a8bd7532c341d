/// The version of the product.
public enum NightjarVersion: Sendable {
    /// As semantic versioning writes it.
    public static let text = "0.1.0"
}
