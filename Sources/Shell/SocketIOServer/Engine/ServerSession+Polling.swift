import EngineIO
import NIOCore
import NIOHTTP1
import WebSocket

extension ServerSession {
    /// Whether a request with this session's id is from its client.
    ///
    /// A client of Engine.IO 3 takes the session's id for the id of its socket, which others are
    /// told of. So that knowing it is not being the client, requests must come from the address
    /// that opened the session; of IPv6, from its first 64 bits.
    func admits(_ exchange: HTTPExchange) -> Bool {
        form.revision == .four || exchange.remoteAddress == request.remoteAddress
            || AddressBook.key(of: exchange.remoteAddress)
                == AddressBook.key(of: request.remoteAddress)
    }

    /// A polling request for this session; called on its loop.
    func pollArrived(_ exchange: HTTPExchange) {
        guard admits(exchange) else {
            exchange.respond(.refusal(.unknownSession))
            return
        }
        loop.catchUp()
        switch machine.pollArrived(hasQueued: !packets.isEmpty, now: loop.now) {
        case .hold:
            waitingPoll = exchange
            reschedule()
        case .answerQueued:
            waitingPoll = exchange
            answerPoll()
        case .answerNoop: exchange.respond(.packets([OutgoingPacket(Packet(.noop))], form))
        case .answerClose:
            waitingPoll = exchange
            answerPollWithEverything()
            end()
        case .closeOverlap:
            exchange.respond(.refusal(.badRequest))
            fail(.transportError)
        case .refuse(let error): exchange.respond(.refusal(error))
        }
    }

    /// Answers the waiting poll with what is queued, up to `maxPacketsPerPoll` packets of it.
    func answerPoll() {
        let limit = limits.maxPacketsPerPoll
        if packets.count <= limit {
            answerPollWithEverything()
            return
        }
        let batch = Array(packets.prefix(limit))
        packets.removeFirst(limit)
        queuedBytes -= batch.reduce(0) { $0 + $1.byteCount }
        answerPoll(with: batch)
    }

    /// The last answer of a session that ends.
    func answerPollWithEverything() {
        let batch = packets
        packets.removeAll()
        queuedBytes = 0
        answerPoll(with: batch)
    }

    private func answerPoll(with batch: [OutgoingPacket]) {
        let response = HTTPResponse.packets(batch, form)
        loop.metrics.bytesSent += response.body.readableBytes
        handedToPoll(response.body.readableBytes)
        waitingPoll?.respond(response)
        waitingPoll = nil
        setBackedUp(queuedBytes > limits.highWaterBytes)
    }

    /// Answers the request that opened the session: it counts as the first poll.
    func answerOpening(_ exchange: HTTPExchange) {
        // In revision 3 the open packet comes alone, as its reference server sends it.
        let isAlone = form.revision == .three && machine.isOpen
        let batch = Array(packets.prefix(isAlone ? 1 : packets.count))
        packets.removeFirst(batch.count)
        queuedBytes = packets.reduce(0) { $0 + $1.byteCount }
        var response = HTTPResponse.packets(batch, form)
        for (name, value) in context.options.handshakeHeaders(request) {
            response.headers.add(name: name, value: value)
        }
        loop.metrics.bytesSent += response.body.readableBytes
        exchange.respond(response)
        guard !machine.isOpen else { return }
        // Closed as soon as it was opened: the answer has said so.
        _ = machine.clientGone()
        end()
    }

    func answerPollWithNoop() {
        waitingPoll?.respond(.packets([OutgoingPacket(Packet(.noop))], form))
        waitingPoll = nil
    }

    /// The connection of the request closed before its answer.
    func exchangeAborted(_ exchange: HTTPExchange) {
        if exchange === waitingPoll {
            waitingPoll = nil
            if let cause = machine.pollAborted() { clientLeft(EngineCloseReason(cause)) }
        }
        if exchange === postingExchange {
            postingExchange = nil
            if machine.postEnded() { clientLeft(.transportError) }
        }
    }

    /// A post begins. Nil: read its body, then call `post`; otherwise the answer.
    func postArrived(_ exchange: HTTPExchange) -> HTTPResponse? {
        guard admits(exchange) else { return .refusal(.unknownSession) }
        loop.catchUp()
        switch machine.postArrived() {
        case .read:
            postingExchange = exchange
            return nil
        case .closeOverlap:
            fail(.transportError)
            return .refusal(.badRequest)
        case .refuse(let error): return .refusal(error)
        }
    }

    /// The post was longer than `maxPayloadBytes` and its body was not read.
    func postRefused(_ exchange: HTTPExchange) {
        guard exchange === postingExchange else { return }
        postingExchange = nil
        _ = machine.postEnded()
    }

    /// The whole body of a post that `postArrived` let in.
    func post(_ body: ByteBuffer, _ exchange: HTTPExchange) {
        guard exchange === postingExchange else {
            exchange.respond(.refusal(.unknownSession))
            return
        }
        postingExchange = nil
        guard machine.postEnded() else {
            exchange.respond(.refusal(.badRequest))
            return
        }
        guard let packets = packets(of: Array(body.readableBytesView)) else {
            exchange.respond(.refusal(.badRequest))
            fail(.parseError)
            return
        }
        exchange.respond(.posted)
        for packet in packets where !receive(packet, bytes: packet.data.count) { return }
    }

    /// Nil for a body that is no payload.
    private func packets(of body: [UInt8]) -> [Packet]? {
        if form.revision == .three, Revision3Payload.isBinary(body[...]) {
            return try? Revision3Payload.decode(body[...])
        }
        var utf8 = UTF8Validator()
        guard body.withUnsafeBytes({ utf8.validate($0) }), utf8.isComplete else { return nil }
        switch form.revision {
        case .three: return try? Revision3Payload.decode(body[...])
        case .four: return try? Payload.decode(body[...])
        }
    }
}

extension HTTPResponse {
    /// `{"code":1,"message":"Session ID unknown"}`, as the protocol's reference server says it.
    static func refusal(_ error: RequestError) -> HTTPResponse {
        .refusal(
            status: .init(statusCode: error.httpStatus), code: error.rawValue,
            message: error.message)
    }

    static func refusal(_ refusal: Admission.Refusal) -> HTTPResponse {
        var response = HTTPResponse.refusal(
            status: refusal.status, code: refusal.code, message: refusal.message)
        for (name, value) in refusal.headers { response.headers.add(name: name, value: value) }
        return response
    }

    static func refusal(
        status: HTTPResponseStatus, code: Int, message: String
    ) -> HTTPResponse {
        .json("{\"code\":\(code),\"message\":\(message.jsonQuoted)}".utf8, status: status)
    }

    static func packets(_ packets: [OutgoingPacket], _ form: WireForm) -> HTTPResponse {
        let (body, isBinary) = OutgoingPacket.payload(packets, form)
        return HTTPResponse(headers: isBinary ? binaryHeaders : textHeaders, body: body)
    }

    static let posted = HTTPResponse(headers: textHeaders, body: ByteBuffer(string: "ok"))

    private static let textHeaders: HTTPHeaders = [
        "content-type": "text/plain; charset=UTF-8", "cache-control": "no-store",
    ]
    private static let binaryHeaders: HTTPHeaders = [
        "content-type": "application/octet-stream", "cache-control": "no-store",
    ]
}
