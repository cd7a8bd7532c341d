import HTTPTypes
import NIOCore

/// Asks a connection to make room, because its body has been coming for longest.
struct BodyCutOff: Sendable {}

/// The end of the pipeline at the socket: sees the bytes.
final class SocketEnd: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let watch: ConnectionGuard

    init(_ watch: ConnectionGuard) { self.watch = watch }

    func handlerAdded(context: ChannelHandlerContext) { watch.socket = context }

    func handlerRemoved(context: ChannelHandlerContext) { watch.ended() }

    func channelInactive(context: ChannelHandlerContext) {
        watch.ended()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watch.isReading = false
        guard !watch.isDeaf else { return }
        let buffer = unwrapInboundIn(data)
        let isFresh = watch.progress.phase == .nothing
        let isWithin = watch.progress.came(
            buffer.readableBytes,
            hasLine: buffer.readableBytesView.contains(UInt8(ascii: "\n")),
            at: .now()
        )
        guard isWithin else {
            return watch.refuse(
                .serviceUnavailable,
                .pipelined,
                "more than \(watch.load.limits.aheadBytes) bytes came before the request ahead of them was answered"
            )
        }
        if isFresh { watch.schedule() }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if watch.isDeaf { read(context: context) }
    }

    /// While a request is answered nothing is read: what a client sends ahead stays in the system's buffers.
    func read(context: ChannelHandlerContext) {
        guard watch.isDeaf || !watch.progress.isAnswering else {
            watch.wantsRead = true
            return
        }
        watch.isReading = true
        context.read()
    }

    /// Large answers go in pieces, so that it is seen whether the client takes them.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .byteBuffer(var buffer) = unwrapOutboundIn(data),
            buffer.readableBytes > ConnectionLimits.answerPiece
        else { return context.write(data, promise: promise) }
        while let piece = buffer.readSlice(length: min(ConnectionLimits.answerPiece, buffer.readableBytes)) {
            let isLast = buffer.readableBytes == 0
            let taken = context.eventLoop.makePromise(of: Void.self)
            let watch = watch
            watch.pieceBegan()
            taken.futureResult.assumeIsolated().whenComplete { _ in watch.pieceTaken() }
            if isLast, let promise { taken.futureResult.cascade(to: promise) }
            context.write(wrapOutboundOut(.byteBuffer(piece)), promise: taken)
            if isLast { return }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watch.moved()
        context.fireChannelWritabilityChanged()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .all = mode, watch.defersClose(promise) { return }
        guard case .output = mode else { return context.close(mode: mode, promise: promise) }
        let said = promise ?? context.eventLoop.makePromise(of: Void.self)
        let watch = watch
        // Not before the client has taken its answer.
        said.futureResult.assumeIsolated().whenComplete { _ in watch.linger() }
        context.close(mode: mode, promise: said)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed as ChannelEvent:
            watch.presence.finishedSending()
            if watch.progress.lingeringSince != nil { return watch.close() }
        case is BodyCutOff:
            return watch.refuse(
                .tooManyRequests,
                .slowBody,
                "the body came slowly, and others needed its room; send it again later"
            )
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }
}
