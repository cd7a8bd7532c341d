import HTTPTypes
import NIOCore
import NIOHTTP1

/// The end of the pipeline at the messages: sees requests and answers.
final class MessageEnd: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let watch: ConnectionGuard
    /// What the large answer that is being written holds.
    private var answerBytes = 0

    init(_ watch: ConnectionGuard) { self.watch = watch }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !watch.isDeaf else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): take(head, context)
        case .body(let buffer): take(buffer, data, context)
        case .end:
            watch.progress.endCame()
            watch.presence.bodies.arrived()
            if let body = watch.body {
                watch.body = nil
                if let whole = body.take() { watch.presence.keep(whole, of: body.request) }
            }
            context.fireChannelRead(data)
        }
    }

    private func take(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let limits = watch.load.limits
        watch.progress.headComes(at: .now())
        guard head.uri.utf8.count <= limits.targetBytes else { return refuseTarget() }
        let isLast = !head.isKeepAlive
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        let request = watch.progress.headCame(
            isLast: isLast,
            awaitsGo: head.headers.first(name: "expect")?.lowercased() == "100-continue",
            keepsAlive: head.version == .http1_0 && !isLast,
            bodyLeft: head.headers.contains(name: "transfer-encoding") ? nil : length ?? 0
        )
        guard let request else {
            return watch.refuse(
                .serviceUnavailable,
                .pipelined,
                "more than \(limits.pipelinedRequests) requests of the connection wait for their answers"
            )
        }
        // Within what any route takes: of a longer one no route reads more than its length.
        if let bytes = request.bodyLeft, bytes > 0, bytes <= watch.bodyBytes {
            watch.body = IncomingBody(of: request.number, length: bytes)
        }
        var head = head
        // In the one form that is looked for behind: a client of HTTP/1.0 need not say it.
        if isLast { head.headers.replaceOrAdd(name: "connection", value: "close") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        goOn()
    }

    private func take(_ buffer: ByteBuffer, _ data: NIOAny, _ context: ChannelHandlerContext) {
        let count = buffer.readableBytes
        guard let request = watch.progress.bodyCame(count) else { return context.fireChannelRead(data) }
        guard !request.isRefused else { return }
        let hasRoom = watch.presence.bodies.grow(by: count, isComing: true)
        watch.progress.bodyHeld(count, hasRoom: hasRoom)
        if hasRoom {
            guard let body = watch.body else { return context.fireChannelRead(data) }
            if body.append(buffer) { return }
        }
        watch.body = nil
        watch.load.refuse(.bodies)
        watch.presence.refuseBody(of: request.number)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case HTTPParserError.headerOverflow? = error as? HTTPParserError, watch.progress.phase != .body
        else { return context.fireErrorCaught(error) }
        watch.progress.headComes(at: .now())
        guard watch.progress.hasTarget else { return refuseTarget() }
        let limits = watch.load.limits
        watch.refuse(
            .requestHeaderFieldsTooLarge,
            .headers,
            "the header fields take more than \(limits.headerBytes) bytes or are more than \(limits.headerFields)"
        )
    }

    private func refuseTarget() {
        watch.refuse(
            .uriTooLong,
            .target,
            "the target is longer than \(watch.load.limits.targetBytes) bytes; send fewer or shorter parameters"
        )
    }

    /// Tells a client that waits for it to send its body.
    private func goOn() {
        guard watch.progress.takeGo(upTo: watch.bodyBytes), let socket = watch.socket else { return }
        let go = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
        socket.writeAndFlush(NIOAny(IOData.byteBuffer(go)), promise: nil)
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !watch.isMute else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head): begin(head, promise, context)
        case .body: context.write(data, promise: promise)
        case .end: end(data, promise, context)
        }
    }

    private func begin(
        _ head: HTTPResponseHead,
        _ promise: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        var head = head
        let keepsAlive = watch.progress.pending.first?.keepsAlive == true
        if watch.progress.answerBegan() {
            head.headers.replaceOrAdd(name: "connection", value: "close")
        } else if keepsAlive {
            head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
        let bytes = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if bytes > ConnectionLimits.answerPiece {
            guard watch.takesAnswer(of: bytes) else {
                promise?.fail(ChannelError.outputClosed)
                return watch.refuseAnswer()
            }
            answerBytes = bytes
        }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func end(
        _ data: NIOAny,
        _ promise: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        if answerBytes > 0 {
            let (bytes, watch) = (answerBytes, watch)
            let taken = promise ?? context.eventLoop.makePromise(of: Void.self)
            taken.futureResult.assumeIsolated().whenComplete { _ in watch.answerTaken(bytes) }
            answerBytes = 0
            context.write(data, promise: taken)
        } else {
            context.write(data, promise: promise)
        }
        guard let (request, mustClose) = watch.progress.answerEnded(at: .now()) else { return }
        watch.presence.bodies.shrink(by: request.heldBytes)
        watch.presence.answered(request.number)
        // What else comes of its body is read away.
        if watch.body?.request == request.number { watch.body = nil }
        if mustClose {
            context.flush()
            return watch.hangUp()
        }
        watch.deliver()
        goOn()
        if watch.progress.phase != .nothing { watch.schedule() }
        guard watch.wantsRead, !watch.progress.isAnswering else { return }
        watch.wantsRead = false
        watch.askForMore()
    }
}
