import NIOCore
import Rooms
import SocketIOServer

/// Takes clients that come back for the members that they were. The room's member entry is all that
/// is kept of a session, so it outlives the instance.
///
/// A client that proves to be a member is that member again if all that it missed can be told as
/// events. Else it becomes a new socket, which the server brings back into the room in the place of
/// the old one, with the scene as it is now: never a part of what was missed.
final class RoomRecovery: ConnectionRecovery {
    private let environment: RoomEnvironment
    private let registry: RoomRegistry
    let gate: RecoveryGate

    init(environment: RoomEnvironment, registry: RoomRegistry) {
        self.environment = environment
        self.registry = registry
        gate = RecoveryGate(limits: environment.options.limits)
    }

    func isOffered(to handshake: HandshakeRequest) -> Bool {
        environment.options.offersRecovery && RecoveryOffer.isFor(handshake)
    }

    func find(_ request: RecoveryRequest) -> EventLoopFuture<LostSocket?> {
        guard let offset = request.offset.flatMap(RoomOffset.init) else {
            return request.eventLoop.makeSucceededFuture(nil)
        }
        let proof = Joiner.Proof(memberID: request.sid, key: ReturnKey.of(request.pid))
        let limits = environment.options.limits
        let deadline = environment.clock.elapsedMilliseconds + limits.recoveryPatience
        return gate.enter(on: request.eventLoop).flatMap { isAdmitted in
            guard isAdmitted else { return request.eventLoop.makeSucceededFuture(nil) }
            let promise = request.eventLoop.makePromise(of: LostSocket?.self)
            self.open(offset.room, until: deadline, on: request.eventLoop) { room in
                guard let room else { return promise.succeed(nil) }
                self.look(into: room, for: proof, since: offset, promise)
            }
            return promise.futureResult.always { result in
                if case .success(let lost?) = result, lost.isRecoverable { return }
                self.gate.leave()
            }
        }
    }

    /// `complete` is called on the room's loop, or without a room on any.
    private func open(
        _ id: String, until deadline: Int64, on eventLoop: any EventLoop,
        complete: @escaping @Sendable (LiveRoom?) -> Void
    ) {
        registry.room(id).whenComplete { result in
            switch result {
            case .success(let room?): return complete(room)
            case .success(nil) where self.environment.isStoreSettled(): return complete(nil)
            case .success(nil), .failure: break
            }
            guard self.environment.clock.elapsedMilliseconds < deadline else {
                return complete(nil)
            }
            eventLoop.scheduleTask(in: .milliseconds(100)) {
                self.open(id, until: deadline, on: eventLoop, complete: complete)
            }
        }
    }

    /// On the room's loop.
    private func look(
        into room: LiveRoom, for proof: Joiner.Proof, since offset: RoomOffset,
        _ promise: EventLoopPromise<LostSocket?>
    ) {
        room.lookBack(for: proof, since: offset) { found in
            guard let (name, isRecoverable) = found else { return promise.succeed(nil) }
            let ticket = ReturnTicket(room: room, proof: proof, offset: offset, name: name)
            promise.succeed(LostSocket(isRecoverable: isRecoverable, context: ticket))
        }
    }

    func claim(
        _ lost: LostSocket, for socket: Socket, complete: @escaping @Sendable (Bool) -> Void
    ) {
        guard let ticket = lost.context as? ReturnTicket else {
            gate.leave()
            return complete(false)
        }
        let room = ticket.room
        room.eventLoop.execute {
            room.claim(ticket, for: socket) { isRecovered in
                self.gate.leave()
                complete(isRecovered)
            }
        }
    }

    func abandon(_ lost: LostSocket, claimedFor socket: Socket?) {
        guard let socket else { return gate.leave() }
        guard let ticket = lost.context as? ReturnTicket else { return }
        ticket.room.eventLoop.execute { ticket.room.connectionBroke(socket) }
    }
}
