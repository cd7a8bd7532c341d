import NightjarSignals
import NightjarTesting
import Testing

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", Value.null), ("true", true), ("false", false), (" 1 ", 1), ("-7", -7), ("1.5", 1.5),
            ("1e3", 1000.0), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", 9.223372036854775808e18), ("\"\"", ""),
            ("\"a\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "a\n\"\\/\u{8}\u{C}\r\t"),
            ("\"\\u00e9\\u20AC\"", "é€"), ("\"\\ud83d\\ude00\"", "😀"), ("[]", []), ("{}", [:]),
            ("[1,[2,{\"a\":[]}]]", [1, [2, ["a": []]]]),
            ("{\"b\":1,\"a\":{\"c\":null}}", ["b": 1, "a": ["c": .null]]),
        ] as [(String, Value)]
    )
    func `reads what RFC 8259 allows`(text: String, expected: Value) throws {
        #expect(try Value(json: text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "tru", "+1", "01", "1.", ".5", "1e", "1e+", "--1", "NaN", "Infinity", "'a'", "\"a",
        "\"\\x\"",
        "\"\\u12\"", "\"\u{1}\"", "[1,]", "[,1]", "[1 2]", "[1", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
        "{1:1}",
        "1 2", "{}x", "]", "}", "\"\\", "[1}",
    ])
    func `refuses what RFC 8259 does not allow`(text: String) {
        #expect(throws: JSONError.self) { try Value(json: text) }
    }

    @Test func `says at which byte it stopped`() {
        let error = #expect(throws: JSONError.self) { try Value(json: "{\"a\": ?}") }
        #expect(error?.offset == 6)
        #expect(error?.description == "at byte 6: expected a value")
    }

    @Test func `a lone surrogate becomes the replacement character`() throws {
        #expect(try Value(json: #""\ud83d""#) == "\u{FFFD}")
        #expect(try Value(json: #""\ude00x""#) == "\u{FFFD}x")
        #expect(try Value(json: #""\ud83d\u0041""#) == "\u{FFFD}A")
    }

    @Test func `invalid UTF-8 is repaired`() throws {
        #expect(try Value(jsonBytes: [0x22, 0x61, 0xFF, 0x22]) == "a\u{FFFD}")
    }

    @Test func `nesting has a limit`() throws {
        let most = JSONReader.maximumDepth
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try Value(json: nested(most)) }
        #expect(throws: JSONError.self) { try Value(json: nested(most + 1)) }
        #expect(throws: JSONError.self) { try Value(json: String(repeating: "[", count: 1_000_000)) }
    }

    @Test func `a key given twice keeps its first place and last value`() throws {
        #expect(try Value(json: #"{"a":1,"b":2,"a":3}"#).json == #"{"a":3,"b":2}"#)
    }

    @Test(
        arguments: [
            (Value.double(.nan), "null"), (.double(.infinity), "null"), (3.0, "3"), (-0.5, "-0.5"),
            (1e300, "1e+300"),
            (9_007_199_254_740_991.0, "9007199254740991"), (.bytes([]), "\"\""), (.bytes([0xFB]), "\"+w==\""),
            (.bytes([0xFB, 0xFF]), "\"+/8=\""), (.bytes([1, 2, 3]), "\"AQID\""),
            ("\u{1}\u{1F}\u{7F}", "\"\\u0001\\u001f\u{7F}\""),
            ("/é😀", "\"/é😀\""),
        ] as [(Value, String)]
    )
    func `writes compact JSON`(value: Value, expected: String) {
        #expect(value.json == expected)
    }

    @Test(arguments: 0..<40) func `what is written is read back`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            let value = Value.random(using: &generator)
            let text = value.json
            #expect(try Value(json: text) == value, "seed \(seed): \(text)")
            #expect(try Value(json: text).json == text)
        }
    }

    @Test(arguments: 0..<40) func `mutilated text is refused or read, and never more`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            var bytes = Array(Value.random(using: &generator).json.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = .random(in: .min ... .max, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            if let value = try? Value(jsonBytes: bytes) {  // most do not read, which is the other good answer
                #expect(try Value(json: value.json).json == value.json)
            }
        }
    }

    @Test(arguments: 0..<10) func `skipping a value ends where reading it ends`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            let text = Value.random(using: &generator).json
            try Array((text + " ,").utf8).withUnsafeBytes { buffer in
                var reader = JSONReader(buffer)
                try reader.skipValue()
                #expect(reader.position == text.utf8.count, "seed \(seed): \(text)")
            }
        }
    }
}

extension Value {
    /// A value that JSON can hold exactly: whole doubles would come back as integers, so there are none.
    static func random(using generator: inout some RandomNumberGenerator, depth: Int = 4) -> Value {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: .min ... .max, using: &generator))
        case 3: return .double(Double(Int.random(in: -1_000_000...1_000_000, using: &generator)) + 0.5)
        case 4: return .double(Double.random(in: -1...1, using: &generator).nextUp * 1e-12)
        case 5: return .string(randomText(using: &generator))
        case 6:
            return .array(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                    random(using: &generator, depth: depth - 1)
                }
            )
        default:
            var object = Object()
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                object[randomText(using: &generator)] = random(using: &generator, depth: depth - 1)
            }
            return .object(object)
        }
    }

    private static func randomText(using generator: inout some RandomNumberGenerator) -> String {
        let letters: [Character] = [
            "a", "Z", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "é", "\u{2028}", "😀", "漢", " ",
        ]
        return String(
            (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                letters[Int.random(in: 0..<letters.count, using: &generator)]
            }
        )
    }
}
