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
        now: now
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
