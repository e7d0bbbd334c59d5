import NIOCore

/// The sockets of one room on one loop, as broadcasts to the room see them.
///
/// Most are listeners: what they are sent lies once in a batch of the tick, and for each there is
/// only the place up to which it has had that. A message costs nothing for each of them, the end of
/// the tick one system call. The others are served one by one: those that poll, are backed up, share
/// a session with an earlier room, or have their offsets held.
///
/// Invariant: a listener's WebSocket is on this loop and open, and its channel has nothing to write.
/// Whatever ends that, and whatever else a session sends, first takes what its listener has not had
/// (`catchUp`, `leave`): so a session sends everything in the order in which it was told to.
///
/// Confined to the loop.
final class RoomAudience {
    private struct Listener {
        let socket: Socket
        let session: ServerSession
        let descriptor: NIOBSDSocket.Handle
        let form: Form
        /// Up to here it has had the bytes and the messages of this tick.
        var position = 0
        var messages = 0
        /// Its session has frames of its own to send first.
        var hasOwnFrames: Bool
    }

    private enum Form: CaseIterable {
        case plain
        case withOffset
    }

    /// What listeners of one form are sent in this tick.
    private struct Stream {
        var batch: FrameBatch?
        var end = 0
        var messages = 0
        var listenerCount = 0

        mutating func append(_ frames: ByteBuffer, _ pool: BatchPool) {
            guard listenerCount > 0 else { return }
            let batch = batch ?? pool.take()
            self.batch = batch
            end = batch.append(frames).upperBound
            messages += 1
        }
    }

    /// Both forms.
    private struct Streams {
        private var plain = Stream()
        private var withOffset = Stream()

        subscript(form: Form) -> Stream {
            get { form == .plain ? plain : withOffset }
            _modify { if form == .plain { yield &plain } else { yield &withOffset } }
        }
    }

    private let pool: BatchPool
    private var listeners: [Listener] = []
    private var others: [Socket] = []
    private var streams = Streams()
    private var isFlushPlanned = false

    init(_ sockets: some Sequence<Socket>, _ pool: BatchPool) {
        others = Array(sockets)
        self.pool = pool
    }

    // MARK: Who is there

    func add(_ socket: Socket) { others.append(socket) }

    /// The socket has left the room. What was sent to the room before is still sent to it.
    func remove(_ socket: Socket) {
        if index(of: socket) != nil { socket.serverSession?.leaveAudience() }
        if let index = others.firstIndex(where: { $0 === socket }) { others.remove(at: index) }
    }

    private func index(of socket: Socket) -> Int? {
        guard let session = socket.serverSession, session.audience === self else { return nil }
        let index = session.listenerIndex
        return listeners[index].socket === socket ? index : nil
    }

    /// Those of the others that can be listeners become such.
    private func admitOthers() {
        var rest: [Socket] = []
        for socket in others where !admit(socket) { rest.append(socket) }
        others = rest
    }

    private func admit(_ socket: Socket) -> Bool {
        guard socket.mayListen, let session = socket.serverSession,
            let descriptor = session.descriptorOfListener
        else { return false }
        let form = socket.pid == nil ? Form.plain : .withOffset
        session.listen(to: self, at: listeners.count)
        listeners.append(
            Listener(
                socket: socket, session: session, descriptor: descriptor, form: form,
                position: streams[form].end, messages: streams[form].messages,
                hasOwnFrames: !session.frames.isEmpty))
        streams[form].listenerCount += 1
        return true
    }

    /// The session of a listener cannot go on as one.
    func leave(_ index: Int) {
        let listener = listeners[index]
        streams[listener.form].listenerCount -= 1
        others.append(listener.socket)
        let last = listeners.removeLast()
        guard index < listeners.count else { return }
        listeners[index] = last
        last.session.listen(to: self, at: index)
    }

    // MARK: Sending

    /// Sends the event to all but some. Gives those who have to be served one by one.
    func broadcast(_ event: PreparedEvent, except excluded: Set<Socket>) -> [Socket] {
        if !others.isEmpty { admitOthers() }
        let others = self.others
        for socket in excluded { if let index = index(of: socket) { handOver(index) } }
        guard event.namespace == listeners.first?.socket.namespace.name else { return others }
        streams[.plain].append(event.message.webSocketFrames, pool)
        streams[.withOffset].append(event.messageWithOffset.webSocketFrames, pool)
        // A session may have ended meanwhile, by what it had to take.
        for socket in excluded {
            guard let index = index(of: socket) else { continue }
            let stream = streams[listeners[index].form]
            listeners[index].position = stream.end
            listeners[index].messages = stream.messages
        }
        if !isFlushPlanned, let loop = listeners.first?.session.loop {
            isFlushPlanned = true
            loop.flushLater(self)
        }
        return others
    }

    /// Bytes that a listener has not had yet.
    func pendingBytes(_ index: Int) -> Int {
        streams[listeners[index].form].end - listeners[index].position
    }

    /// The session of a listener has something of its own to send, after what all were sent.
    func catchUp(_ index: Int) {
        listeners[index].hasOwnFrames = true
        handOver(index)
    }

    /// Hands over to its session what a listener has not had yet.
    private func handOver(_ index: Int) {
        let listener = listeners[index]
        let stream = streams[listener.form]
        guard listener.position < stream.end, let batch = stream.batch else { return }
        listeners[index].position = stream.end
        listeners[index].messages = stream.messages
        listeners[index].hasOwnFrames = true
        listener.session.take(
            batch, listener.position..<stream.end, messages: stream.messages - listener.messages)
    }

    /// The session has sent what it had of its own.
    func flushed(_ index: Int) { listeners[index].hasOwnFrames = false }

    /// What a session has to send itself, since the kernel has not taken it or frames of its own
    /// come first.
    private struct Rest {
        let session: ServerSession
        let range: Range<Int>
        let messages: Int
        let isBegun: Bool
    }

    /// At the end of the tick.
    func flush() {
        isFlushPlanned = false
        for form in Form.allCases {
            var batch = streams[form].batch.take()
            if let batch {
                for rest in send(batch, form) {
                    rest.session.take(
                        batch, rest.range, messages: rest.messages, isBegun: rest.isBegun)
                }
            }
            pool.giveBack(&batch)
        }
    }

    /// Nothing but system calls: nobody is called back while the listeners are walked over.
    private func send(_ batch: FrameBatch, _ form: Form) -> [Rest] {
        let (end, allMessages) = (streams[form].end, streams[form].messages)
        streams[form].end = 0
        streams[form].messages = 0
        var rests: [Rest] = []
        var sent = 0
        var messages = 0
        batch.withBytes { bytes in
            listeners.withUnsafeMutableBufferPointer { listeners in
                for index in listeners.indices where listeners[index].form == form {
                    let start = listeners[index].position
                    let count = allMessages - listeners[index].messages
                    listeners[index].position = 0
                    listeners[index].messages = 0
                    guard start < end else { continue }
                    var taken = 0
                    if !listeners[index].hasOwnFrames {
                        taken = DirectOutput.send(
                            UnsafeRawBufferPointer(rebasing: bytes[start..<end]),
                            to: listeners[index].descriptor)
                    }
                    sent += taken
                    if start + taken == end {
                        messages += count
                        continue
                    }
                    listeners[index].hasOwnFrames = true
                    rests.append(
                        Rest(
                            session: listeners[index].session, range: start + taken..<end,
                            messages: count, isBegun: taken > 0))
                }
            }
        }
        if let loop = listeners.first?.session.loop {
            loop.metrics.bytesSent += sent
            loop.metrics.messagesSent += messages
        }
        return rests
    }
}

/// Batches of audiences, used again when nobody refers to them any more. Confined to the loop.
final class BatchPool {
    private var free: [FrameBatch] = []
    private static let most = 256
    /// Bytes; a larger batch was of a burst, and is let go.
    private static let largest = 64 * 1024

    func take() -> FrameBatch { free.popLast() ?? FrameBatch() }

    func giveBack(_ batch: inout FrameBatch?) {
        guard free.count < Self.most, isKnownUniquelyReferenced(&batch), let batch,
            batch.bytes.capacity <= Self.largest
        else { return }
        batch.clear()
        free.append(batch)
    }
}
