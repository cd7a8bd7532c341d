import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// JSON text within texts.
@Suite struct JSONRedactionTests {
    private let filter = SensitiveDataFilter()

    private func redacted(_ text: String) -> String? { filter.value(.string(text)).string }

    @Test(
        arguments: [
            (
                #"{ "a" : 1.50, "key" :  "k" ,"b":[ 1e5, null ] }"#,
                #"{"a":1.50,"key":"[REDACTED]","b":[1e5,null]}"#
            ),
            (
                #"  [{"token":{"a":1}},{"token":[1,{"b":2}]}]"#,
                #"[{"token":{"a":1}},{"token":["[REDACTED]",{"b":2}]}]"#
            ),
            (#"{"key":1,"key":2}"#, #"{"key":"[REDACTED]","key":"[REDACTED]"}"#),
            (#"{"pass\u0077ord":"p"}"#, #"{"pass\u0077ord":"[REDACTED]"}"#),
            (#"{"passw\tord":"p"}"#, #"{"passw\tord":"[REDACTED]"}"#),
            (#"{"passwor\td":"p"}"#, #"{"passwor\td":"[REDACTED]"}"#),
            (#"{"passwor\u00b7d":"p"}"#, #"{"passwor\u00b7d":"[REDACTED]"}"#),
            (#"{"pass\"word":"p"}"#, #"{"pass\"word":"[REDACTED]"}"#),
            (#"{"pass\"word\"":"p"}"#, #"{"pass\"word\"":"[REDACTED]"}"#),
            (#"{"\\password\\":"p"}"#, #"{"\\password\\":"[REDACTED]"}"#),
            (#"{"a":"b","token":"\"\\ü"}"#, #"{"a":"b","token":"[REDACTED]"}"#),
            (#""{\"key\":\"k\"}""#, #""{\"key\":\"[REDACTED]\"}""#),
            (#"{"a":"{\u0022key\u0022:\u00221\u0022}"}"#, #"{"a":"{\"key\":\"[REDACTED]\"}"}"#),
            (#"{"a":"\n {\"key\"\n: 1}"}"#, #"{"a":"{\"key\":\"[REDACTED]\"}"}"#),
            ("{\"key\"\n\t:1}", #"{"key":"[REDACTED]"}"#),
        ]
    )
    func `secrets are found however they are written`(_ text: String, _ expected: String) {
        #expect(redacted(text) == expected)
        #expect(redacted(expected) == expected)
    }

    @Test(
        arguments: [
            #"{ "a" : "password", "b":["token"], "c":"key: 1" }"#, #"{"a":"say \"key\": no"}"#,
            #"{"key":"k""#, #"{"key":"k"} trailing"#, #"{"key":"k",}"#, #"{"key":01}"#, #"{"key":"\x"}"#,
            #"password: x"#, #""key": 1"#, "{", "[", "\"", "", ":", "  ", #"{'password':'p'}"#,
            #"{"key":"[REDACTED]" }"#,
        ]
    )
    func `text without a secret, and broken text, stays byte for byte`(_ text: String) {
        #expect(redacted(text) == text)
    }

    @Test func `text within text is redacted at every level`() throws {
        var value: Value = ["name": "n", "api-key": "k"]
        for _ in 0..<5 { value = ["arguments": .string(value.json), "id": 1] }
        var expected: Value = ["name": "n", "api-key": "[REDACTED]"]
        for _ in 0..<5 { expected = ["arguments": .string(expected.json), "id": 1] }
        #expect(redacted(value.json) == expected.json)
    }

    @Test func `suspicious text nested too deeply to be examined is withheld, other text stays`() {
        let open = String(repeating: "[", count: 65)
        let close = String(repeating: "]", count: 65)
        #expect(redacted(#"\#(open){"key":1}\#(close)"#) == "[REDACTED]")
        #expect(redacted(#"\#(open){"kez":1}\#(close)"#) == #"\#(open){"kez":1}\#(close)"#)
        #expect(redacted(#"{"a":"\#(open){\"key\":1}\#(close)","b":1}"#) == #"{"a":"[REDACTED]","b":1}"#)
    }

    /// Every way to write a key is found by the scan in front of the parser: what the parser redacts, the scan lets pass.
    @Test(arguments: [UInt64(1), 2, 3]) func `no secret escapes the scan`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let keys = ["password", "api_key", "Token", "key", "s-s-n", "client secret", "refresh"]
        for _ in 0..<3000 {
            let secret = "S\(random.next() % 1_000_000)"
            var text = Self.object(Self.written(keys[Int(random.next() % 7)], &random), secret, &random)
            for _ in 0..<random.next() % 4 {
                text = Self.object("\"\(["a", "id", "arguments"][Int(random.next() % 3)])\"", text, &random)
            }
            #expect(redacted(text)?.contains(secret) == false, "seed \(seed): \(text)")
            #expect(redacted(text)?.contains("[REDACTED]") == true, "seed \(seed): \(text)")
        }
    }

    /// A key with its quotes, some letters escaped and something in between that does not count.
    private static func written(_ key: String, _ random: inout SeededGenerator) -> String {
        var out = "\""
        for character in key {
            switch random.next() % 12 {
            case 0: out += "\\u00" + String(character.asciiValue ?? 0, radix: 16)
            case 1:
                out += ["\\t", "\\\"", "\\\\", "-", "\\u00b7", "·", "\\/", "\\n"][Int(random.next() % 8)]
                out.append(character)
            case 2: out += character.uppercased()
            default: out.append(character)
            }
        }
        return out + (random.next() % 4 == 0 ? "\\\\\"" : "\"")
    }

    private static func object(_ key: String, _ content: String, _ random: inout SeededGenerator) -> String {
        let space = ["", "", " ", "\n", "\t "][Int(random.next() % 5)]
        let before = [#""role":"user","#, "", #""n":[1,{"x":"a:b"}],"#][Int(random.next() % 3)]
        return "{\(before)\(key)\(space):\(space)\(Value.string(content).json)\(space)}"
    }
}
