/// What reading scores and reading feedback have in common.
protocol AnnotationInput: Sendable {
    var id: String? { get set }
    var traceID: TraceID? { get set }
    var spanID: SpanID? { get set }
    var sessionID: String? { get set }
    /// What must not come twice in one call, nil where anything may.
    var identity: String? { get }
    /// What to say of one that comes twice.
    static var duplicate: String { get }
    init(from reader: inout ObjectReader)
}

/// More in one call is refused; a client that has more sends several.
private let annotationLimit = 1000
/// Longer ids are refused: they are keys of the store.
private let idLimit = 256

extension AnnotationInput {
    init(strict json: Value, path: String) throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        self.init(from: &reader)
        reader.refuseUnknown()
        try reader.finish()
    }

    mutating func readTarget(from reader: inout ObjectReader) {
        id = reader.text("id")
        if let id, id.isEmpty || id.utf8.count > idLimit {
            reader.refuse("id", "must have 1 to \(idLimit) bytes")
        }
        traceID = reader.traceID("traceId")
        spanID = reader.spanID("spanId")
        sessionID = reader.text("sessionId")
    }

    /// What is wrong with the target where the input must name it itself.
    func targetFault(path: String) -> InputError? {
        let place = path.isEmpty ? "" : "\(path)."
        return switch (traceID, sessionID) {
        case (nil, nil):
            InputError(path: "\(place)traceId", message: "is required where no sessionId is given")
        case (.some, .some):
            InputError(path: "\(place)sessionId", message: "is a target of its own; leave out traceId")
        case (nil, .some) where spanID != nil:
            InputError(path: "\(place)spanId", message: "is a span of a trace; give its traceId as well")
        default: nil
        }
    }
}

extension ScoreInput {
    /// Reads one object or a list of at most 1,000, each by itself: what one of them is refused for does not touch the others.
    /// - Throws: ``InputErrors`` when it is neither, or too long.
    public static func each(
        json: Value,
        needsTarget: Bool = false
    ) throws(InputErrors) -> [Result<ScoreInput, InputErrors>] {
        try readEach(json, needsTarget: needsTarget)
    }
}

extension FeedbackInput {
    /// Reads one object or a list of at most 1,000, each by itself: what one of them is refused for does not touch the others.
    /// - Throws: ``InputErrors`` when it is neither, or too long.
    public static func each(
        json: Value,
        needsTarget: Bool = false
    ) throws(InputErrors) -> [Result<FeedbackInput, InputErrors>] {
        try readEach(json, needsTarget: needsTarget)
    }
}

private func readEach<Input: AnnotationInput>(
    _ json: Value,
    needsTarget: Bool
) throws(InputErrors) -> [Result<Input, InputErrors>] {
    let items: [(path: String, value: Value)]
    switch json {
    case .object: items = [("", json)]
    case .array(let values): items = values.enumerated().map { ("[\($0.offset)]", $0.element) }
    default:
        throw InputErrors([InputError(path: "", message: "must be an object or a list of objects")])
    }
    guard items.count <= annotationLimit else {
        let message = "has \(items.count) items, at most \(annotationLimit) fit; send several requests"
        throw InputErrors([InputError(path: "", message: message)])
    }
    var seen: [String: String] = [:]
    return items.map { path, value in
        Result { () throws(InputErrors) in
            let input = try Input(strict: value, path: path)
            if needsTarget, let fault = input.targetFault(path: path) { throw InputErrors([fault]) }
            if let identity = input.identity, let earlier = seen.updateValue(path, forKey: identity) {
                throw InputErrors([InputError(path: path, message: "\(Input.duplicate) (as \(earlier))")])
            }
            return input
        }
    }
}

extension ScoreInput {
    /// The first fault of scores that go to one target in one call, with its index as path; nil where all are good.
    package static func firstFault(of inputs: [ScoreInput]) -> InputError? {
        faultOfAll(inputs) { $0.fault(path: $1) }
    }
}

extension FeedbackInput {
    /// The first fault of feedback that goes to one target in one call, with its index as path; nil where all is good.
    package static func firstFault(of inputs: [FeedbackInput]) -> InputError? {
        faultOfAll(inputs) { $0.fault(path: $1) }
    }
}

extension [ScoreInput] {
    /// The first fault of scores that name their targets themselves, with its index as path; nil where all are good.
    package var firstTargetFault: InputError? { ScoreInput.firstFault(of: self) ?? faultOfTargets(self) }
}

extension [FeedbackInput] {
    /// The first fault of feedback that names its targets itself, with its index as path; nil where all is good.
    package var firstTargetFault: InputError? { FeedbackInput.firstFault(of: self) ?? faultOfTargets(self) }
}

private func faultOfTargets(_ inputs: [some AnnotationInput]) -> InputError? {
    for (index, input) in inputs.enumerated() {
        if let fault = input.targetFault(path: "[\(index)]") { return fault }
    }
    return nil
}

private func faultOfAll<Input: AnnotationInput>(
    _ inputs: [Input],
    _ fault: (Input, String) -> InputError?
) -> InputError? {
    var seen: Set<String> = []
    for (index, input) in inputs.enumerated() {
        let path = "[\(index)]"
        if let fault = fault(input, path) { return fault }
        if let identity = input.identity, !seen.insert(identity).inserted {
            return InputError(path: path, message: Input.duplicate)
        }
    }
    return nil
}

/// All the inputs, or everything that is wrong with any of them.
func allOrNothing<Input>(_ results: [Result<Input, InputErrors>]) throws(InputErrors) -> [Input] {
    var inputs: [Input] = []
    var errors: [InputError] = []
    for result in results {
        switch result {
        case .success(let input): inputs.append(input)
        case .failure(let failure): errors += failure.errors
        }
    }
    guard errors.isEmpty else { throw InputErrors(errors) }
    return inputs
}

/// What `body` gives, or the first of its errors.
func withFirstError<Input>(_ body: () throws(InputErrors) -> Input) throws(InputError) -> Input {
    do throws(InputErrors) {
        return try body()
    } catch {
        throw error.errors.first ?? InputError(path: "", message: "is not fit")
    }
}
