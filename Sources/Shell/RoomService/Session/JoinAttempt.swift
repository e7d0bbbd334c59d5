import NIOCore
import Rooms

/// One `join-room` on its way: opens the room, checks the password off the loop, finds out whether
/// an earlier member is the same person, and lets the client in.
///
/// A transient trouble (the store away, rooms still being restored after an outage) is waited out,
/// since the client takes `join-room-failed` for final (R8); the answer comes within 5 s (R35).
struct JoinAttempt: Sendable {
    let session: MemberSession
    let roomID: String
    let password: String?
    /// For a client that comes back: the member that it was.
    var proof: Joiner.Proof?

    /// Milliseconds after which a transient trouble is answered all the same.
    private static let patience: Int64 = 4_000
    private static let pause: TimeAmount = .milliseconds(100)

    enum Outcome: Sendable {
        case success(LiveRoom)
        case failure(ErrorCode)
    }

    private var service: RoomService { session.service }
    private var environment: RoomEnvironment { session.environment }

    /// `complete` is called once, on any loop.
    func start(complete: @escaping @Sendable (Outcome) -> Void) {
        let deadline = environment.clock.elapsedMilliseconds + Self.patience
        let member = session.makeMember()
        open(member, until: deadline, complete: complete)
    }

    private func open(
        _ member: Member, until deadline: Int64, complete: @escaping @Sendable (Outcome) -> Void
    ) {
        service.registry.room(roomID).whenComplete { result in
            switch result {
            case .success(let room?):
                authorise(member, room, until: deadline, complete: complete)
            case .success(nil):
                guard environment.isStoreSettled() else {
                    return again(member, deadline, .roomNotFound, complete)
                }
                complete(.failure(.roomNotFound))
            case .failure: again(member, deadline, .join, complete)
            }
        }
    }

    private func again(
        _ member: Member, _ deadline: Int64, _ code: ErrorCode,
        _ complete: @escaping @Sendable (Outcome) -> Void
    ) {
        guard environment.clock.elapsedMilliseconds < deadline else {
            return complete(.failure(code))
        }
        session.socket.eventLoop.scheduleTask(in: Self.pause) {
            guard !session.isClosed else { return complete(.failure(code)) }
            open(member, until: deadline, complete: complete)
        }
    }

    /// On the room's loop.
    private func authorise(
        _ member: Member, _ room: LiveRoom, until deadline: Int64,
        complete: @escaping @Sendable (Outcome) -> Void
    ) {
        let joiner = Joiner(member: member, verifiedHash: nil, returning: proof)
        let isMember = room.control.members[member.id] != nil
        let now = environment.clock.nowMilliseconds
        let limits = environment.options.room
        guard let hash = room.control.passwordHash, !isMember,
            !room.control.admits(joiner, at: now, limits: limits)
        else { return recognise(joiner, room, deadline, complete) }
        guard service.mayTryPassword(from: session.address) else {
            return complete(.failure(.rateLimited))
        }
        guard let password, !password.isEmpty,
            password.utf8.count <= RoomRules.passwordMaximumBytes
        else { return complete(.failure(.invalidPassword)) }
        service.verify(password, against: hash).hop(to: room.eventLoop).whenComplete { result in
            switch result {
            case .success(true):
                var joiner = joiner
                joiner.verifiedHash = hash
                recognise(joiner, room, deadline, complete)
            case .success(false):
                service.countWrongPassword(from: session.address)
                complete(.failure(.invalidPassword))
            case .failure: complete(.failure(.rateLimited))
            }
        }
    }

    /// Finds out whether the connection of an earlier member with the same credential is gone.
    private func recognise(
        _ joiner: Joiner, _ room: LiveRoom, _ deadline: Int64,
        _ complete: @escaping @Sendable (Outcome) -> Void
    ) {
        let own = environment.identity.incarnation
        let holders = Set(
            room.control.members.values.lazy
                .filter { $0.credential == joiner.member.credential && $0.holder != own }
                .map(\.holder))
        let gone = holders.map { holder in
            service.cluster.isGone(holder).map { $0 ? holder : nil }
        }
        EventLoopFuture.whenAllSucceed(gone, on: room.eventLoop).whenComplete { result in
            var joiner = joiner
            joiner.goneHolders = Set(((try? result.get()) ?? []).compactMap(\.self))
            enter(joiner, room, deadline, complete)
        }
    }

    private func enter(
        _ joiner: Joiner, _ room: LiveRoom, _ deadline: Int64,
        _ complete: @escaping @Sendable (Outcome) -> Void
    ) {
        room.join(session.socket, as: joiner) { result in
            switch result {
            case .committed, .unchanged: complete(.success(room))
            case .stale: complete(.failure(.join))
            case .refused(.invalidPassword): complete(.failure(.invalidPassword))
            case .refused(.roomFull): complete(.failure(.roomFull))
            case .refused: complete(.failure(.join))
            case .failed(.roomNotFound):
                again(joiner.member, deadline, .roomNotFound, complete)
            case .failed: again(joiner.member, deadline, .join, complete)
            }
        }
    }
}
