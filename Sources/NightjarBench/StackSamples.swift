/// Stacks that perf wrote.
package struct StackSamples: Sendable {
    /// A function on a stack.
    package struct Frame: Sendable, Hashable {
        /// As the symbol table has it.
        package let symbol: String
        /// Whether it is of the kernel.
        package let isKernel: Bool

        /// The module of a function of Swift: its symbol begins with `$s`, the length of its module's name, and that.
        var module: Substring? {
            guard symbol.hasPrefix("$s") else { return nil }
            let rest = symbol.dropFirst(2)
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let count = Int(digits), count > 0 else { return nil }
            return rest.dropFirst(digits.count).prefix(count)
        }

        /// Whether it is of the program, and not of what starts threads and tasks.
        var isOurs: Bool {
            guard let module else { return isKernel }
            return ["Nightjar", "Hummingbird", "NIO", "GRDB"].contains(where: module.hasPrefix)
        }
    }

    /// One sample.
    package struct Stack: Sendable {
        /// The outermost first.
        package let frames: [Frame]

        /// What its thread is for. Threads' names do not say it: those that the runtime starts pass theirs on.
        var role: String {
            func has(_ name: String) -> Bool { frames.contains { $0.symbol.contains(name) } }
            if has("GroupWriterC") { return "thread that writes the store" }
            if has("Nightjar6WorkerC") { return "worker thread" }
            return "tasks and event loops: requests"
        }
    }

    /// All samples.
    package private(set) var stacks: [Stack] = []

    /// Reads what `perf script -F comm,ip,sym,dso` writes: a line with the thread, a line for each frame, innermost first, an
    /// empty line.
    package init(_ text: String) {
        var frames: [Frame] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                if !frames.isEmpty { stacks.append(Stack(frames: frames.reversed())) }
                frames = []
            } else if line.first?.isWhitespace == true, let frame = Self.frame(line) {
                frames.append(frame)
            }
        }
    }

    private static func frame(_ line: Substring) -> Frame? {
        let words = line.drop { $0 == " " || $0 == "\t" }
        guard let space = words.firstIndex(of: " ") else { return nil }
        var rest = words[words.index(after: space)...]
        var file: Substring = ""
        // The file is the last in brackets; names of C++ have brackets of their own.
        if rest.last == ")", let open = rest.lastIndex(of: "(") {
            file = rest[rest.index(after: open)...].dropLast()
            rest = rest[..<open]
        }
        let symbol = String(rest.reversed().drop { $0 == " " }.reversed())
        return Frame(symbol: symbol, isKernel: file.hasPrefix("[kernel") || file.hasPrefix("[guest.kernel"))
    }
}

/// A tree of calls, each with how many samples had it.
package final class CallTree {
    /// The function.
    package let name: String
    let part: ProfilePart
    private(set) var samples = 0
    private(set) var children: [CallTree] = []

    /// A call that nothing was counted of.
    package init(_ name: String, _ part: ProfilePart) { (self.name, self.part) = (name, part) }

    /// Counts a path below this.
    package func add(_ path: some Sequence<(name: String, part: ProfilePart)>) {
        samples += 1
        var node = self
        for step in path {
            let child = node.children.first { $0.name == step.name } ?? node.appended(step.name, step.part)
            child.samples += 1
            node = child
        }
    }

    private func appended(_ name: String, _ part: ProfilePart) -> CallTree {
        let child = CallTree(name, part)
        children.append(child)
        return child
    }
}

/// Which part of the program a function belongs to: its colour.
package enum ProfilePart: String, CaseIterable, Sendable {
    /// Taking requests and answering.
    case http = "HTTP"
    /// Bytes into spans.
    case decoding = "decoding"
    /// Traces and what is counted of them.
    case settling = "settling, metrics"
    /// Plugins.
    case rules = "rules in Lua"
    /// What is written and read.
    case store = "store, SQLite"
    /// The kernel.
    case kernel = "kernel"
    /// Everything else.
    case other = "engine, Swift's runtime, C library"

    /// By what module a symbol says that it is of, or how the symbols of a C library begin.
    init(_ frame: StackSamples.Frame) {
        let symbol = frame.symbol
        if frame.isKernel {
            self = .kernel
        } else if let module = frame.module {
            switch module {
            case "NightjarServer", "Hummingbird", "HummingbirdCore": self = .http
            case _ where module.hasPrefix("NIO"): self = .http
            case "NightjarOTLP", "NightjarSignals": self = .decoding
            case "NightjarBus", "NightjarExtraction": self = .settling
            case "NightjarPlugins": self = .rules
            case "NightjarStore", "GRDB": self = .store
            default: self = .other
            }
        } else if ["lua", "nj_"].contains(where: symbol.hasPrefix) {
            self = .rules
        } else if symbol.hasPrefix("sqlite3") {
            self = .store
        } else if symbol.hasPrefix("c_nio") {
            self = .http
        } else {
            self = .other
        }
    }
}
