import Foundation
import NightjarBus
import NightjarSignals
import Testing

/// The cases of `Cases/redaction_and_serialization.json`; none is left out.
@Suite struct RedactionCaseTests {
    private static let cases: [Value] = {
        guard
            let url = Bundle.module.url(
                forResource: "redaction_and_serialization",
                withExtension: "json",
                subdirectory: "Cases"
            ),
            let data = try? Data(contentsOf: url),  // no file is no case, which the first test refuses
            let cases = try? Value(jsonBytes: Array(data))
        else { return [] }
        return cases["cases"]?.array ?? []
    }()

    @Test func `the cases of the signals contract are all here`() {
        #expect(Self.cases.count == 9)
    }

    @Test(arguments: cases.indices) func `a case holds, and a second pass changes nothing`(index: Int) throws
    {
        let test = Self.cases[index]
        let name = test["name"]?.string ?? ""
        let input = try #require(test["input"]?["value"])
        let expected = try #require(test["expect"]?["value"])
        let options = test["input"]?["options"] ?? [:]
        let once: Value
        let twice: Value
        switch test["kind"]?.string {
        case "redact":
            let filter = SensitiveDataFilter(redaction(options))
            once = filter.value(input)
            twice = filter.value(once)
        case "clean":
            let limiter = ValueLimiter(limits(options))
            once = limiter.value(input)
            twice = limiter.value(once)
        default:
            Issue.record("a kind that nobody knows: \(name)")
            return
        }
        #expect(once == expected, "\(name)")
        #expect(twice == expected, "\(name), again")
    }

    private func redaction(_ options: Value) -> RedactionConfiguration {
        var configuration = RedactionConfiguration()
        if let keys = options["sensitive_fields"]?.array { configuration.keys = keys.compactMap(\.string) }
        if let style = options["style"]?.string.flatMap(RedactionConfiguration.Style.init) {
            configuration.style = style
        }
        return configuration
    }

    private func limits(_ options: Value) -> SizeLimits {
        var limits = SizeLimits()
        if let most = options["max_string_length"]?.number { limits.characters = Int(most) }
        if let most = options["max_array_length"]?.number { limits.elements = Int(most) }
        if let most = options["max_object_keys"]?.number { limits.keys = Int(most) }
        if let most = options["max_depth"]?.number { limits.depth = Int(most) }
        return limits
    }
}
