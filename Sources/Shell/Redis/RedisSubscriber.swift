import Logging
import NIOCore

/// A message that came over pub/sub.
package struct RedisMessage: Sendable, Hashable {
    package let channel: String
    /// The pattern that matched, for `psubscribe`.
    package let pattern: String?
    package let payload: [UInt8]
}

/// The pub/sub connection: what is subscribed, restored on each new connection, and proof by a
/// probe of the client's own that what is published arrives.
///
/// Used on its event loop only, which is what makes it Sendable.
final class RedisSubscriber: @unchecked Sendable {
    typealias Handler = @Sendable (RedisMessage) -> Void

    private enum Kind: Hashable { case channel, pattern }

    private struct Name: Hashable {
        let kind: Kind
        let text: String
    }

    private struct Entry {
        var handler: Handler
        var waiters: [EventLoopPromise<Void>] = []
    }

    let link: RedisLink
    let probeChannel: String
    /// The probe has been heard on this connection, and since then it has not been silent.
    ///
    /// Its channel is the last that a connection subscribes to, so what it proves holds for all.
    private(set) var isHealthy = false
    private(set) var lastHeard: NIODeadline?
    var onReady: (() -> Void)?
    var onLost: ((RedisProblem) -> Void)?
    /// The probe's channel is confirmed: a probe published now will be heard.
    var onProbeable: (() -> Void)?

    private let maxNames: Int
    private var entries: [Name: Entry] = [:]
    /// Confirmations that this connection owes, by name; a name is confirmed when it owes none.
    private var owed: [Name: Int] = [:]
    /// The time before which silence proves nothing.
    private var silenceFrom: NIODeadline

    init(link: RedisLink, probeChannel: String, maxNames: Int) {
        self.link = link
        self.probeChannel = probeChannel
        self.maxNames = max(1, maxNames)
        silenceFrom = link.eventLoop.now
        link.onUp = { connection, _ in self.restore(on: connection) }
        link.onDown = { self.lost($0) }
    }

    func subscribe(channel: String, _ handler: @escaping Handler) -> EventLoopFuture<Void> {
        add(Name(kind: .channel, text: channel), handler)
    }

    func subscribe(pattern: String, _ handler: @escaping Handler) -> EventLoopFuture<Void> {
        add(Name(kind: .pattern, text: pattern), handler)
    }

    func unsubscribe(channel: String) { remove(Name(kind: .channel, text: channel)) }

    func unsubscribe(pattern: String) { remove(Name(kind: .pattern, text: pattern)) }

    func close() {
        link.close(drains: false)
        lost(RedisProblem(.closed, "closed"))
        onReady = nil
        onLost = nil
        onProbeable = nil
        let waiters = entries.values.flatMap(\.waiters)
        entries.removeAll()
        for waiter in waiters { waiter.fail(RedisError.closed) }
    }

    private func add(_ name: Name, _ handler: @escaping Handler) -> EventLoopFuture<Void> {
        let promise = link.eventLoop.makePromise(of: Void.self)
        let isNew = entries[name] == nil
        entries[name, default: Entry(handler: handler)].handler = handler
        if let connection = link.connection {
            if isNew { ask(connection, name.kind, [name.text]) }
            if owed[name] == nil {
                promise.succeed()
                return promise.futureResult
            }
        }
        entries[name]?.waiters.append(promise)
        return promise.futureResult
    }

    private func remove(_ name: Name) {
        guard let entry = entries.removeValue(forKey: name) else { return }
        if let connection = link.connection {
            let verb: RESPArgument = name.kind == .channel ? "UNSUBSCRIBE" : "PUNSUBSCRIBE"
            owed[name, default: 0] += 1
            connection.post([verb, RESPArgument(name.text)])
        }
        for waiter in entry.waiters { waiter.fail(RedisError.closed) }
    }

    private func ask(_ connection: RedisConnection, _ kind: Kind, _ names: [String]) {
        let verb: RESPArgument = kind == .channel ? "SUBSCRIBE" : "PSUBSCRIBE"
        for name in names { owed[Name(kind: kind, text: name), default: 0] += 1 }
        connection.post([verb] + names.map { RESPArgument($0) })
    }
}

// MARK: - The connection

extension RedisSubscriber {
    private func restore(on connection: RedisConnection) {
        owed.removeAll(keepingCapacity: true)
        silenceFrom = link.eventLoop.now
        connection.listen { self.receive($0) }
        let channels = entries.keys.filter { $0.kind == .channel }.map(\.text)
        let patterns = entries.keys.filter { $0.kind == .pattern }.map(\.text)
        for (kind, names) in [(Kind.channel, channels), (.pattern, patterns)] {
            for start in stride(from: 0, to: names.count, by: maxNames) {
                ask(connection, kind, Array(names[start..<min(start + maxNames, names.count)]))
            }
        }
        ask(connection, .channel, [probeChannel])
    }

    private func lost(_ problem: RedisProblem) {
        owed.removeAll(keepingCapacity: true)
        becomeUnhealthy(problem)
    }

    private func becomeUnhealthy(_ problem: RedisProblem) {
        guard isHealthy else { return }
        isHealthy = false
        onLost?(problem)
    }

    private func receive(_ value: RESPValue) {
        switch value {
        case .array(let fields):
            guard let kind = fields.first?.bytes else { return refuse(value) }
            if kind.elementsEqual("message".utf8), fields.count == 3 {
                deliver(fields[1], pattern: nil, fields[2])
            } else if kind.elementsEqual("pmessage".utf8), fields.count == 4 {
                deliver(fields[2], pattern: fields[1].string, fields[3])
            } else if kind.elementsEqual("subscribe".utf8)
                || kind.elementsEqual("unsubscribe".utf8),
                fields.count == 3
            {
                confirm(.channel, fields[1])
            } else if kind.elementsEqual("psubscribe".utf8)
                || kind.elementsEqual("punsubscribe".utf8), fields.count == 3
            {
                confirm(.pattern, fields[1])
            } else {
                refuse(value)
            }
        case .error(let line):
            link.recycle(RedisProblem(errorLine: line))
        default:
            refuse(value)
        }
    }

    private func refuse(_ value: RESPValue) {
        link.recycle(RedisProblem(.protocolError, "a pub/sub connection sent no message"))
    }

    private func deliver(_ channel: RESPValue, pattern: String?, _ payload: RESPValue) {
        guard let channel = channel.string, let payload = payload.bytes else { return }
        if pattern == nil, channel == probeChannel { return heardProbe() }
        let name = pattern.map { Name(kind: .pattern, text: $0) }
        let entry = entries[name ?? Name(kind: .channel, text: channel)]
        entry?.handler(RedisMessage(channel: channel, pattern: pattern, payload: payload))
    }

    private func confirm(_ kind: Kind, _ text: RESPValue) {
        guard let text = text.string else { return }
        let name = Name(kind: kind, text: text)
        guard let count = owed[name] else { return }
        if count > 1 {
            owed[name] = count - 1
            return
        }
        owed[name] = nil
        let waiters = entries[name]?.waiters ?? []
        entries[name]?.waiters = []
        for waiter in waiters { waiter.succeed() }
        if text == probeChannel, kind == .channel { onProbeable?() }
    }
}

// MARK: - The probe

extension RedisSubscriber {
    private func heardProbe() {
        let now = link.eventLoop.now
        lastHeard = now
        silenceFrom = now
        guard !isHealthy else { return }
        isHealthy = true
        onReady?()
    }

    /// Silence counts from now: nothing could have been heard until now.
    func forgiveSilence() {
        silenceFrom = link.eventLoop.now
    }

    /// Replaces the connection, or only tells of its silence where no probe could be published.
    func checkSilence(limit: Duration, canPublish: Bool) {
        guard link.connection != nil, link.eventLoop.now - silenceFrom >= TimeAmount(limit) else {
            return
        }
        let problem = RedisProblem(.subscriptionSilent, "the client does not hear its own probe")
        if canPublish { link.recycle(problem) } else { becomeUnhealthy(problem) }
    }
}
