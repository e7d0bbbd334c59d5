import Glibc
import WebSocket

/// What a thread's clients do; all calls come on that thread.
protocol LoadDriver: AnyObject {
    /// The server answered CONNECT.
    func opened(_ connection: Connection, now: Int64)
    /// A Socket.IO packet, from its Engine.IO `4` on; valid during the call.
    func received(_ packet: UnsafeRawBufferPointer, on connection: Connection, now: Int64)
    func closed(_ connection: Connection, _ reason: CloseReason, now: Int64)
    /// What is due by time.
    ///
    /// - Returns: when the next is.
    func tick(now: Int64) -> Int64
    /// Whether the loop may end.
    var isDone: Bool { get }
    /// Why the whole run has to end.
    var failure: LoadError? { get }
}

/// Many clients on one thread: epoll, one receive buffer, frames read where they were received.
final class ClientLoop {
    let servers: [ServerAddress]
    let limits: LoadLimits
    private(set) var bytesReceived = 0
    private let headers: [String]
    private let poller: Poller
    private let buffer: UnsafeMutableRawBufferPointer
    private var frame: UnsafeMutableRawBufferPointer
    private var connections: [Connection?] = []
    private var free: [Int] = []
    private var generation: UInt32 = 0
    private var numbers: SeededNumbers
    private let sources: SourceAddresses
    private let pong = Array("3".utf8)
    private let connect = Array("40".utf8)

    init(
        servers: [ServerAddress], headers: [String], sources: SourceAddresses, seed: UInt64,
        limits: LoadLimits
    ) throws(LoadError) {
        self.servers = servers
        self.headers = headers
        self.limits = limits
        self.sources = sources
        numbers = SeededNumbers(seed: seed)
        poller = try Poller()
        buffer = .allocate(byteCount: limits.receiveBytes, alignment: 64)
        frame = .allocate(byteCount: 4096, alignment: 64)
    }

    deinit {
        for case let connection? in connections where !connection.isClosed {
            close(connection.descriptor)
        }
        buffer.deallocate()
        frame.deallocate()
    }

    /// Runs until the driver is done, it failed, or `shouldStop`, which is asked often.
    func run(_ driver: some LoadDriver, shouldStop: (Int64) -> Bool) {
        while !driver.isDone, driver.failure == nil {
            let now = MonotonicClock.now()
            if shouldStop(now) { return }
            let due = driver.tick(now: now)
            let count = poller.wait(nanoseconds: min(due - now, 20 * MonotonicClock.millisecond))
            for index in 0..<count { handle(poller[index], driver) }
        }
    }

    // MARK: Connecting

    /// Begins to connect a client.
    ///
    /// - Parameters:
    ///   - query: more of the request's query, from its `&` on.
    ///   - number: chooses the source address.
    func open(
        server: Int, tag: Int, group: Int, number: Int, query: String = "", cookie: String? = nil
    ) throws(LoadError) -> Connection {
        let address = servers[server]
        let descriptor = try sources.connect(to: address, number: number)
        let lines = headers + (cookie.map { ["Cookie: \($0)"] } ?? [])
        let index = free.popLast() ?? connections.count
        if index == connections.count { connections.append(nil) }
        generation &+= 1
        let connection = Connection(
            index: index, generation: generation, server: server, tag: tag, group: group,
            descriptor: descriptor, startedAt: MonotonicClock.now(),
            request: address.handshake(query: query, headers: lines))
        connection.cookie = cookie
        connections[index] = connection
        try poller.add(descriptor, token: connection.token, writes: true)
        connection.isWaitingToWrite = true
        return connection
    }

    /// Closes at once; the driver is not told.
    func drop(_ connection: Connection) {
        guard !connection.isClosed else { return }
        connection.phase = .closed
        close(connection.descriptor)
        connections[connection.index] = nil
        free.append(connection.index)
    }

    /// Says goodbye; the server closes, and the driver is told then.
    func finish(_ connection: Connection) {
        guard connection.phase == .open else { return }
        CloseCode.payload(CloseCode.normal).withUnsafeBytes { send(.close, $0, on: connection) }
        connection.phase = .closing
    }

    private func end(
        _ connection: Connection, _ reason: CloseReason, _ driver: some LoadDriver
    ) {
        guard !connection.isClosed else { return }
        let wasAsked = connection.phase == .closing
        drop(connection)
        driver.closed(connection, wasAsked ? .asked : reason, now: MonotonicClock.now())
    }

    // MARK: Sending

    /// Sends a packet as one text frame.
    func send(_ packet: [UInt8], on connection: Connection) {
        packet.withUnsafeBytes { send(.text, $0, on: connection) }
    }

    private func send(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, on connection: Connection
    ) {
        guard connection.phase != .closed, connection.phase != .closing else { return }
        let most = payload.count + ClientFrame.maxHeaderBytes
        if frame.count < most {
            frame.deallocate()
            frame = .allocate(byteCount: most, alignment: 64)
        }
        let mask = UInt32(truncatingIfNeeded: numbers.next() >> 16)
        let count = ClientFrame.encode(opcode, payload, mask: mask, into: frame)
        write(UnsafeRawBufferPointer(rebasing: frame[..<count]), on: connection)
    }

    private func write(_ bytes: UnsafeRawBufferPointer, on connection: Connection) {
        var sent = 0
        if connection.unsent.isEmpty {
            let flags = Int32(MSG_NOSIGNAL)
            sent = max(0, Glibc.send(connection.descriptor, bytes.baseAddress, bytes.count, flags))
            if sent == bytes.count { return }
        }
        connection.unsent.append(contentsOf: bytes[sent...])
        if !connection.isWaitingToWrite {
            connection.isWaitingToWrite = true
            poller.watch(connection.descriptor, token: connection.token, writes: true)
        }
    }

    private func flush(_ connection: Connection) {
        if connection.phase == .connecting {
            connection.phase = .upgrading
            connection.unsent.insert(contentsOf: connection.request, at: 0)
            connection.request = []
        }
        let sent = connection.unsent.withUnsafeBytes {
            Glibc.send(
                connection.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if sent > 0 { connection.unsent.removeFirst(sent) }
        if connection.unsent.isEmpty {
            connection.unsent = []
            connection.isWaitingToWrite = false
            poller.watch(connection.descriptor, token: connection.token, writes: false)
        }
    }

    // MARK: Receiving

    private func handle(_ event: Poller.Event, _ driver: some LoadDriver) {
        let index = Int(event.token & 0xFFFF_FFFF)
        guard let connection = connections[index], connection.token == event.token else { return }
        if event.isWritable, connection.isWaitingToWrite {
            if connection.phase == .connecting, let number = socketError(connection.descriptor) {
                return end(connection, .system(number), driver)
            }
            flush(connection)
        }
        if event.isReadable { receive(connection, driver) }
    }

    private func socketError(_ descriptor: Int32) -> Int32? {
        var number: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size)
        return number == 0 ? nil : number
    }

    /// One read, and all whole frames of it. What is left of a short frame goes before the next
    /// read; a long one grows in the connection's stash.
    private func receive(_ connection: Connection, _ driver: some LoadDriver) {
        let isLong = connection.needed > buffer.count / 2
        let kept = isLong ? 0 : connection.stash.count
        if kept > 0 {
            connection.stash.withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
        let space = buffer.count - kept
        let count = recv(connection.descriptor, buffer.baseAddress?.advanced(by: kept), space, 0)
        guard count > 0 else {
            let number = errno
            if count < 0, number == EAGAIN || number == EINTR { return }
            let reason: CloseReason = count == 0 ? .server(code: nil) : .system(number)
            return end(connection, reason, driver)
        }
        bytesReceived += count
        let now = MonotonicClock.now()
        let received = UnsafeRawBufferPointer(rebasing: buffer[..<(kept + count)])
        guard isLong else {
            let used = consume(received, connection, driver, now)
            return keep(received, from: used, of: connection)
        }
        connection.stash.append(contentsOf: received)
        guard connection.stash.count >= connection.needed else { return }
        let whole = connection.stash
        connection.stash = []
        whole.withUnsafeBytes { bytes in
            let used = consume(bytes, connection, driver, now)
            keep(bytes, from: used, of: connection)
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer, from start: Int, of connection: Connection) {
        if connection.stash.isEmpty, start == bytes.count { return }
        connection.stash.removeAll(keepingCapacity: bytes.count - start > 0)
        connection.stash.append(contentsOf: bytes[start...])
    }

    /// - Returns: how many of the bytes belong to what was whole.
    @inline(__always)
    private func consume(
        _ bytes: UnsafeRawBufferPointer, _ connection: Connection, _ driver: some LoadDriver,
        _ now: Int64
    ) -> Int {
        var position = 0
        connection.needed = 0
        if connection.phase == .upgrading {
            guard let end = readHandshake(bytes, connection, driver) else { return 0 }
            position = end
        }
        while connection.phase != .closed {
            switch ServerFrame.read(bytes, at: position, maxPayload: limits.maxMessageBytes) {
            case .incomplete(let needed):
                connection.needed = needed
                return position
            case .broken(let problem):
                end(connection, .protocolError(problem.rawValue), driver)
            case .frame(let frame):
                position = frame.end
                let payload = UnsafeRawBufferPointer(
                    rebasing: bytes[frame.payloadStart..<frame.end])
                if frame.opcode == .text, frame.isFinal, payload.first == UInt8(ascii: "4"),
                    connection.phase == .open
                {
                    driver.received(payload, on: connection, now: now)
                } else {
                    handle(frame, payload, connection, driver, now)
                }
            }
        }
        return bytes.count
    }

    private func handle(
        _ frame: ServerFrame, _ payload: UnsafeRawBufferPointer, _ connection: Connection,
        _ driver: some LoadDriver, _ now: Int64
    ) {
        switch frame.opcode {
        case .ping: send(.pong, payload, on: connection)
        case .pong: break
        case .close:
            let code = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
            end(connection, .server(code: code), driver)
        case .binary where frame.isFinal: break
        case .text where frame.isFinal: packet(payload, connection, driver, now)
        default:
            let isText = frame.opcode == .text
            connection.fragments =
                (frame.opcode == .continuation ? connection.fragments ?? [] : []) + payload
            guard frame.isFinal, !isText, let whole = connection.fragments else { return }
            connection.fragments = nil
            whole.withUnsafeBytes { packet($0, connection, driver, now) }
        }
    }

    /// A packet of Engine.IO (protocol 4, "Packet").
    private func packet(
        _ payload: UnsafeRawBufferPointer, _ connection: Connection, _ driver: some LoadDriver,
        _ now: Int64
    ) {
        switch (payload.first, connection.phase) {
        case (UInt8(ascii: "2"), _): send(pong, on: connection)
        case (UInt8(ascii: "1"), _): end(connection, .server(code: nil), driver)
        case (UInt8(ascii: "0"), .greeting):
            connection.phase = .joining
            send(connect, on: connection)
        case (UInt8(ascii: "4"), .joining): answerOfNamespace(payload, connection, driver, now)
        case (UInt8(ascii: "4"), .open): driver.received(payload, on: connection, now: now)
        default: break
        }
    }

    private func answerOfNamespace(
        _ payload: UnsafeRawBufferPointer, _ connection: Connection, _ driver: some LoadDriver,
        _ now: Int64
    ) {
        guard payload.count >= 2 else { return }
        if payload[1] == UInt8(ascii: "0") {
            connection.phase = .open
            driver.opened(connection, now: now)
        } else if payload[1] == UInt8(ascii: "4") {
            let text = String(decoding: payload.dropFirst(2), as: UTF8.self)
            end(connection, .connectError(text), driver)
        }
    }

    /// - Returns: where the frames begin; nil while the head is not whole or was no 101.
    private func readHandshake(
        _ bytes: UnsafeRawBufferPointer, _ connection: Connection, _ driver: some LoadDriver
    ) -> Int? {
        guard let head = HandshakeAnswer(bytes) else {
            connection.needed = bytes.count + 1
            if bytes.count > 65_536 { end(connection, .protocolError("no HTTP answer"), driver) }
            return nil
        }
        guard head.status == 101 else {
            end(connection, .status(head.status, body: head.body(in: bytes)), driver)
            return nil
        }
        guard head.isAccepted else {
            end(connection, .protocolError("a 101 without the right accept token"), driver)
            return nil
        }
        connection.cookie = head.cookie(in: bytes) ?? connection.cookie
        connection.phase = .greeting
        return head.bodyStart
    }
}
