import NightjarTesting

/// One span of a planned trace: what happened, not yet how a convention writes it.
struct PlannedSpan: Sendable {
    enum Role: Sendable {
        case agent, chat, tool, workflow, step
        /// A node of a graph around a chat or a tool call.
        case wrapper
        /// The same call, seen by the client of the protocol.
        case protocolCall
        /// The same chat, seen by the provider's library.
        case libraryCall
        /// A span of a program that has nothing to do with models.
        case request
    }

    /// The tokens of a chat.
    struct Usage: Sendable {
        let input: Int
        let cacheRead: Int
        let cacheWrite: Int
        let output: Int
    }

    let role: Role
    /// The agent's, tool's, workflow's or model's name.
    let name: String
    /// What it takes beside its children.
    var milliseconds: Int
    var usage: Usage?
    var hasFailed = false
    var children: [PlannedSpan] = []

    /// How many spans it is with all below it.
    var count: Int { children.reduce(1) { $0 + $1.count } }

    /// The same, with each span taking a part of its time, but a millisecond at least.
    func quickened(by factor: Int) -> PlannedSpan {
        var span = self
        span.milliseconds = max(1, milliseconds / factor)
        span.children = children.map { $0.quickened(by: factor) }
        return span
    }
}

/// Draws traces by the load's templates and their weights.
struct TracePlanner {
    static let models = [
        (name: "gpt-4o", provider: "openai"), (name: "gpt-4o-mini", provider: "openai"),
        (name: "claude-sonnet-4", provider: "anthropic"), (name: "claude-haiku-4", provider: "anthropic"),
        (name: "gemini-2.5-pro", provider: "gcp.gemini"), (name: "mistral-large", provider: "mistral_ai"),
    ]

    /// Services of this number, modulo 8, have their provider's library instrumented too.
    static let doubledService = 6

    let shape: LoadShape
    var random: SeededGenerator

    /// A trace of a service, drawn by the weights of the templates.
    mutating func trace(service: Int) -> PlannedSpan {
        let isDoubled = service % 8 == Self.doubledService
        switch random.below(100) {
        case ..<45: return agent(doubled: isDoubled)
        case ..<60: return agent(wrapped: true, doubled: isDoubled)
        case ..<75: return workflow(doubled: isDoubled)
        case ..<85: return chat(doubled: isDoubled)
        case ..<90: return agent(protocolCalls: true, doubled: isDoubled)
        case ..<95: return agent(failing: true, doubled: isDoubled)
        case ..<98: return failedChat()
        default: return noise()
        }
    }

    private mutating func agent(
        wrapped: Bool = false,
        protocolCalls: Bool = false,
        failing: Bool = false,
        doubled: Bool
    ) -> PlannedSpan {
        var run = PlannedSpan(role: .agent, name: "agent_\(random.below(shape.agents))", milliseconds: own())
        let turns = 1 + random.below(3)
        for turn in 0..<turns {
            run.children.append(wrap(chat(doubled: doubled), wrapped))
            var call = tool(protocolCall: protocolCalls)
            call.hasFailed = failing && turn == turns - 1
            run.children.append(wrap(call, wrapped))
        }
        run.children.append(wrap(chat(doubled: doubled), wrapped))
        return run
    }

    private mutating func wrap(_ span: PlannedSpan, _ isWrapped: Bool) -> PlannedSpan {
        guard isWrapped else { return span }
        let name = span.role == .tool ? "tools" : "model"
        var wrapper = PlannedSpan(role: .wrapper, name: name, milliseconds: own())
        wrapper.children = [span]
        return wrapper
    }

    private mutating func chat(doubled: Bool) -> PlannedSpan {
        let model = Self.models[random.below(Self.models.count)].name
        let milliseconds = 200 + random.below(4000)
        let input = 100 + random.below(4000)
        let cacheRead = random.below(2) == 0 ? 0 : random.below(input)
        let cacheWrite = random.below(10) > 0 ? 0 : random.below(input - cacheRead)
        var chat = PlannedSpan(role: .chat, name: model, milliseconds: milliseconds)
        chat.usage = PlannedSpan.Usage(
            input: input,
            cacheRead: cacheRead,
            cacheWrite: cacheWrite,
            output: 5 + random.below(800)
        )
        if doubled {
            var copy = PlannedSpan(role: .libraryCall, name: model, milliseconds: milliseconds)
            copy.usage = chat.usage
            chat.children = [copy]
        }
        return chat
    }

    private mutating func tool(protocolCall: Bool) -> PlannedSpan {
        let name = "tool_\(random.below(shape.tools))"
        var tool = PlannedSpan(role: .tool, name: name, milliseconds: 5 + random.below(500))
        if protocolCall {
            tool.children = [PlannedSpan(role: .protocolCall, name: name, milliseconds: 5)]
        }
        return tool
    }

    private mutating func workflow(doubled: Bool) -> PlannedSpan {
        let name = "wf_\(random.below(shape.workflows))"
        var run = PlannedSpan(role: .workflow, name: name, milliseconds: own())
        for number in 1...2 {
            var step = PlannedSpan(role: .step, name: "step_\(number)", milliseconds: own())
            step.children = [agent(doubled: doubled)]
            run.children.append(step)
        }
        return run
    }

    private mutating func failedChat() -> PlannedSpan {
        var run = PlannedSpan(role: .agent, name: "agent_\(random.below(shape.agents))", milliseconds: own())
        var failed = chat(doubled: false)
        failed.usage = nil
        failed.hasFailed = true
        run.hasFailed = true
        run.children = [failed]
        return run
    }

    private mutating func noise() -> PlannedSpan {
        var request = PlannedSpan(role: .request, name: "GET /items", milliseconds: own())
        for _ in 0..<5 {
            request.children.append(
                PlannedSpan(role: .request, name: "SELECT items", milliseconds: 1 + random.below(20))
            )
        }
        return request
    }

    private mutating func own() -> Int { 1 + random.below(20) }
}
