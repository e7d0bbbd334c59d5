import EngineIO
import NIOCore
import NIOHTTP1
import WebSocket

extension ServerSession {
    /// A polling request for this session; called on its loop.
    func pollArrived(_ exchange: HTTPExchange) {
        switch machine.pollArrived(hasQueued: !packets.isEmpty, now: loop.now) {
        case .hold:
            waitingPoll = exchange
            reschedule()
        case .answerQueued:
            waitingPoll = exchange
            answerPoll()
        case .answerNoop: exchange.respond(.packets([OutgoingPacket(Packet(.noop))]))
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
        let body = OutgoingPacket.payload(batch)
        loop.metrics.bytesSent += body.readableBytes
        waitingPoll?.respond(.payload(body))
        waitingPoll = nil
        setBackedUp(queuedBytes > limits.highWaterBytes)
    }

    /// Answers the request that opened the session: it counts as the first poll.
    func answerOpening(_ exchange: HTTPExchange) {
        var response = HTTPResponse.payload(OutgoingPacket.payload(packets))
        for (name, value) in context.options.handshakeHeaders(request) {
            response.headers.add(name: name, value: value)
        }
        loop.metrics.bytesSent += response.body.readableBytes
        packets.removeAll()
        queuedBytes = 0
        exchange.respond(response)
    }

    func answerPollWithNoop() {
        waitingPoll?.respond(.packets([OutgoingPacket(Packet(.noop))]))
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
        let bytes = Array(body.readableBytesView)
        var utf8 = UTF8Validator()
        let isValid = bytes.withUnsafeBytes { utf8.validate($0) } && utf8.isComplete
        guard isValid, let packets = try? Payload.decode(bytes[...]) else {
            exchange.respond(.refusal(.badRequest))
            fail(.parseError)
            return
        }
        exchange.respond(.posted)
        for packet in packets where !receive(packet, bytes: packet.data.count) { return }
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

    static func packets(_ packets: [OutgoingPacket]) -> HTTPResponse {
        .payload(OutgoingPacket.payload(packets))
    }

    static func payload(_ body: ByteBuffer) -> HTTPResponse {
        HTTPResponse(headers: payloadHeaders, body: body)
    }

    static let posted = HTTPResponse(headers: payloadHeaders, body: ByteBuffer(string: "ok"))

    private static let payloadHeaders: HTTPHeaders = [
        "content-type": "text/plain; charset=UTF-8", "cache-control": "no-store",
    ]
}
