import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Connections of HTTP/1 within limits.
struct GuardedHTTP: ServerChildChannel {
    /// One connection; without messages where it was refused.
    struct Connection: ServerChildChannelValue {
        let channel: any Channel
        let messages: HTTP1Channel.Value?
        let presence: ClientPresence
    }

    private let messages: HTTP1Channel
    private let load: ServerLoad
    private let bodyBytes: Int

    init(_ responder: @escaping HTTPChannelHandler.Responder, load: ServerLoad, bodyBytes: Int) {
        let limits = load.limits
        messages = HTTP1Channel(
            responder: responder,
            configuration: HTTP1Channel.Configuration(
                idleTimeout: TimeAmount(limits.idleTime),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerBytes,
                    maxHeaderListSize: limits.headerBytes,
                    maxHeaderFieldCount: limits.headerFields
                )
            )
        )
        (self.load, self.bodyBytes) = (load, bodyBytes)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection> {
        let cutOff: @Sendable () -> Void = {
            channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(BodyCutOff()) }
        }
        let presence = ClientPresence(load: load, bodies: load.bodies.open(cutOff: cutOff))
        guard load.enter() else { return refuse(channel, presence) }
        channel.closeFuture.whenComplete { [load] _ in
            presence.closed()
            load.leave()
        }
        return messages.setup(channel: channel, logger: logger)
            .flatMapThrowing { [load, bodyBytes] messages in
                let watch = ConnectionGuard(load: load, presence: presence, bodyBytes: bodyBytes)
                let pipeline = channel.pipeline.syncOperations
                let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                try pipeline.addHandler(MessageEnd(watch), position: .after(decoder))
                try pipeline.addHandler(SocketEnd(watch), position: .first)
                return Connection(channel: channel, messages: messages, presence: presence)
            }
            .flatMapErrorThrowing { error in
                channel.close(promise: nil)
                throw error
            }
    }

    func handle(value: Connection, logger: Logger) async {
        guard let messages = value.messages else { return }
        await ClientPresence.$current.withValue(value.presence) {
            await self.messages.handle(value: messages, logger: logger)
        }
    }

    private func refuse(_ channel: any Channel, _ presence: ClientPresence) -> EventLoopFuture<Connection> {
        load.refuse(.connections)
        presence.closed()
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(RefusedEnd(limit: load.limits.connections))
            return Connection(channel: channel, messages: nil, presence: presence)
        }
    }
}

/// Tells a client that there are too many, and closes.
private final class RefusedEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func channelActive(context: ChannelHandlerContext) {
        let answer = ConnectionGuard.answer(
            .serviceUnavailable,
            "\(limit) connections are open, and no more may be (limits.connections)"
        )
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
