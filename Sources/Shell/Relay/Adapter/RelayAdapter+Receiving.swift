import NIOCore
import Redis
import SocketIOServer

/// What comes from Redis; all on the client's loop.
extension RelayAdapter {
    func received(_ message: RedisMessage) {
        counters.count(\.received)
        if message.channel == channels.request {
            order.value.run { self.receivedRequest(message) }
        } else if message.pattern != nil {
            order.value.run { self.receivedBroadcast(message) }
        } else {
            receivedResponse(message)
        }
    }

    private func receivedBroadcast(_ message: RedisMessage) {
        guard let room = channels.room(of: message.channel) else { return }
        guard room.isEmpty || rooms.contains(room) else { return }
        do throws(MessagePackError) {
            let decoded = try BroadcastMessage.decode(
                message.payload[...], namespace: namespace,
                ignoring: { $0 == uid || $0 == Self.mirrorUID }, limits: options.limits.message)
            guard let decoded else { return }
            counters.count(\.delivered)
            local.broadcast(decoded.event, to: decoded.target)
        } catch {
            refuse(message, error)
        }
    }

    private func receivedRequest(_ message: RedisMessage) {
        do throws(RelayMessageError) {
            let request = try RelayRequest(
                decoding: message.payload[...], limits: options.limits.message)
            guard request.uid != uid else { return }
            counters.count(\.requests)
            answer(request)
        } catch {
            refuse(message, error)
        }
    }

    private func receivedResponse(_ message: RedisMessage) {
        // Every server hears the answers to all; they are not read where nothing is waited for.
        guard pending.value.count > 0 else { return }
        do throws(RelayMessageError) {
            let response = try RelayResponse(
                decoding: message.payload[...], limits: options.limits.message)
            pending.value.received(response)
        } catch {
            refuse(message, error)
        }
    }

    private func refuse(_ message: RedisMessage, _ error: any Error) {
        counters.count(\.malformed)
        logger.debug(
            "message refused",
            metadata: ["channel": "\(message.channel)", "error": "\(error)"])
    }
}
