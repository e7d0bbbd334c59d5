import NIOCore

/// Which password belongs to which stored form, as far as it was shown to this process lately, and
/// what is being found out. When hundreds come back to a room at once, one derivation serves all.
///
/// Kept are codes (HMAC-SHA-256 under a key of this process), in memory only, and only of what was
/// right: a wrong password costs a derivation each time.
struct ShownPasswords {
    /// Stands for one password with one stored form.
    struct Code: Hashable, Sendable {
        fileprivate let bytes: [UInt8]
    }

    enum Answer {
        case isRight
        /// Somebody else asks the same at this moment.
        case asked(EventLoopFuture<Bool>)
        /// The caller has to find out, complete this and call `found`.
        case unknown(EventLoopPromise<Bool>)
    }

    let limit: Int
    private var right: Set<Code> = []
    /// Those of `right`, the oldest first.
    private var order: [Code] = []
    private var asked: [Code: EventLoopFuture<Bool>] = [:]

    init(limit: Int) {
        self.limit = limit
    }

    static func code(of password: String, _ hash: String, key: [UInt8]) -> Code {
        // The digest has a fixed length: no two pairs make the same message.
        let message = Digest.sha256(Array(password.utf8)) + Array(hash.utf8)
        return Code(bytes: Digest.hmacSHA256(key: key, message))
    }

    mutating func ask(_ code: Code, on loop: any EventLoop) -> Answer {
        if right.contains(code) { return .isRight }
        if let future = asked[code] { return .asked(future) }
        let promise = loop.makePromise(of: Bool.self)
        asked[code] = promise.futureResult
        return .unknown(promise)
    }

    mutating func found(_ code: Code, isRight: Bool) {
        asked[code] = nil
        if isRight { remember(code) }
    }

    mutating func remember(_ code: Code) {
        guard limit > 0, right.insert(code).inserted else { return }
        order.append(code)
        if order.count > limit { right.remove(order.removeFirst()) }
    }
}
