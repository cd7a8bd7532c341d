import NightjarSignals
import Testing

struct ByteSearchTests {
    private func occurs(_ needle: String, in text: String) -> Bool {
        ByteSearch(Array(needle.utf8)).occurs(in: Array(text.utf8))
    }

    @Test(
        arguments: [
            ("", ""), ("", "a"), ("a", "a"), ("A", "xxa"), ("hello", "say HELLO"), ("aab", "aaaab"),
            ("Zürich", "in Zürich"), ("ab", "ab"), ("abab", "abaabab"),
        ]
    )
    func `finds a text wherever it lies, in either case`(needle: String, text: String) {
        #expect(occurs(needle, in: text))
    }

    @Test(arguments: [("a", ""), ("ab", "a"), ("ab", "ba"), ("Ä", "ä"), ("abc", "ab c"), ("a[", "a{")])
    func `does not find what is not there`(needle: String, text: String) {
        #expect(!occurs(needle, in: text))
    }

    @Test func `agrees with a search at every place`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            func letters(_ count: ClosedRange<Int>) -> String {
                String(
                    (0..<Int.random(in: count, using: &random)).map { _ in
                        "abAB".randomElement(using: &random) ?? "a"
                    }
                )
            }
            let (needle, text) = (letters(1...4), letters(0...20))
            #expect(
                occurs(needle, in: text) == text.lowercased().contains(needle.lowercased()),
                "\(needle) \(text)"
            )
        }
    }
}

extension ByteSearch {
    fileprivate func occurs(in bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { occurs(in: $0) } }
}
