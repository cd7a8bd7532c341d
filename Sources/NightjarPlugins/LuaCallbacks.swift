import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// What a state asks of the host: each function answers with a status and never enters the state.
///
/// They are plain functions outside of any actor, because each field of a span may come through one.
func makeCallbacks(for instance: PluginInstance) -> nj_callbacks {
    nj_callbacks(
        context: Unmanaged.passUnretained(instance).toOpaque(),
        declare: declare,
        read: read,
        read_attribute: readAttribute,
        find: find,
        module: module,
        trace: trace,
        now: now,
        read_record: readRecord,
        fetch: fetch,
        annotations: annotations,
        data_member: dataMember,
        data_next: dataNext,
        data_length: dataLength,
        test: test
    )
}

private func instance(_ context: UnsafeMutableRawPointer?) -> Unmanaged<PluginInstance>? {
    context.map { Unmanaged<PluginInstance>.fromOpaque($0) }
}

private func declare(
    _ context: UnsafeMutableRawPointer?,
    _ declaration: UnsafePointer<nj_declaration>?,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let declaration, let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        do throws(DeclarationFault) {
            reply.pointee.number = Int64(try instance.declare(declaration.pointee))
            return NJ_REPLY_DONE.rawValue
        } catch {
            return instance.answer(fault: error.text, reply)
        }
    }
}

private func read(
    _ context: UnsafeMutableRawPointer?,
    _ span: UnsafePointer<nj_span_ref>?,
    _ field: Int32,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let span, let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let scope = instance.scope, let reference = scope.reference(span.pointee) else {
            return NJ_REPLY_ABSENT.rawValue
        }
        return instance.answer(scope.content(nj_field(UInt32(field)), of: reference), reply)
    }
}

private func readAttribute(
    _ context: UnsafeMutableRawPointer?,
    _ attribute: UnsafePointer<nj_attribute>?,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let attribute, let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let scope = instance.scope else { return NJ_REPLY_ABSENT.rawValue }
        return instance.answer(.value(scope.reader.value(attribute.pointee)), reply)
    }
}

private func find(
    _ context: UnsafeMutableRawPointer?,
    _ trace: UnsafePointer<nj_trace>?,
    _ match: nj_text,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let trace, let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        do throws(DeclarationFault) {
            try instance.find(Array(match.buffer), in: trace.pointee, reply)
            return NJ_REPLY_DONE.rawValue
        } catch {
            return instance.answer(fault: error.text, reply)
        }
    }
}

private func module(
    _ context: UnsafeMutableRawPointer?,
    _ name: nj_text,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let source = instance.source.modules[name.string ?? ""] else {
            return instance.answer(
                fault: "no such module; a plugin requires the modules of its own folder, as NAME.module",
                reply
            )
        }
        return instance.answer(.text(source), reply)
    }
}

private func trace(_ context: UnsafeMutableRawPointer?) -> UnsafePointer<nj_trace>? {
    instance(context)?._withUnsafeGuaranteedRef { $0.scope?.rawTrace }
}

private func now(_ context: UnsafeMutableRawPointer?) -> Double {
    guard let owner = instance(context) else { return 0 }
    return owner._withUnsafeGuaranteedRef { instance in
        (instance.scope?.now ?? instance.loadedAt).seconds
    }
}

private func readRecord(
    _ context: UnsafeMutableRawPointer?,
    _ handle: Int32,
    _ field: Int32,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let event = instance.scope?.record(handle) else { return NJ_REPLY_ABSENT.rawValue }
        let value = RecordFields.value(nj_record_field(UInt32(field)), of: event)
        return instance.answer(value, reply)
    }
}

private func fetch(_ context: UnsafeMutableRawPointer?, _ high: UInt64, _ low: UInt64)
    -> UnsafePointer<nj_trace>?
{
    instance(context)?._withUnsafeGuaranteedRef { $0.scope?.fetch(TraceID(high: high, low: low)) }
}

private func annotations(
    _ context: UnsafeMutableRawPointer?,
    _ trace: UnsafePointer<nj_trace>?,
    _ kind: Int32,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let trace, let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        let id = TraceID(high: trace.pointee.trace_high, low: trace.pointee.trace_low)
        let handles = instance.scope?.annotations(of: id, nj_object(UInt32(kind))) ?? []
        instance.answer(indexes: handles, reply)
        return NJ_REPLY_DONE.rawValue
    }
}

private func dataMember(
    _ context: UnsafeMutableRawPointer?,
    _ node: Int64,
    _ key: nj_text,
    _ place: Int64,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let (file, at) = instance.dataFile(node),
            let member = file.member(of: at, key: key.string, place: Int(place))
        else { return NJ_REPLY_ABSENT.rawValue }
        return instance.answer(member: member, of: file, node, reply)
    }
}

private func dataNext(
    _ context: UnsafeMutableRawPointer?,
    _ node: Int64,
    _ place: Int64,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        guard let (file, at) = instance.dataFile(node), let next = file.next(of: at, after: Int(place)) else {
            return NJ_REPLY_ABSENT.rawValue
        }
        return instance.answer(member: next.handle, key: next.key, of: file, node, reply)
    }
}

private func dataLength(_ context: UnsafeMutableRawPointer?, _ node: Int64) -> Int64 {
    guard let owner = instance(context) else { return 0 }
    return owner._withUnsafeGuaranteedRef { instance in
        instance.dataFile(node).map { Int64($0.file.length(of: $0.node)) } ?? 0
    }
}

private func test(
    _ context: UnsafeMutableRawPointer?,
    _ operation: nj_text,
    _ arguments: nj_text,
    _ reply: UnsafeMutablePointer<nj_reply>?
) -> Int32 {
    guard let owner = instance(context), let reply else { return NJ_REPLY_ERROR.rawValue }
    return owner._withUnsafeGuaranteedRef { instance in
        do throws(DeclarationFault) {
            return instance.answer(try instance.ask(operation.string ?? "", Array(arguments.buffer)), reply)
        } catch {
            return instance.answer(fault: error.text, reply)
        }
    }
}
