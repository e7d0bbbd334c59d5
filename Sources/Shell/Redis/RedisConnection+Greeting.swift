import NIOCore

/// What the server told of itself when the connection was opened.
package struct RedisGreeting: Sendable, Equatable {
    package var address: RedisAddress
    /// New after each start of the server; nil where `INFO` is not permitted.
    package var runID: String?
    package var version: String?

    /// A field of a reply to `INFO`.
    static func infoField(_ name: String, in text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(name + ":") {
            return String(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}

extension RedisConnection {
    private enum Step {
        case authenticate, select, name, info, role, ping

        /// Steps without which the connection serves all the same.
        var isOptional: Bool { self == .name || self == .info }
    }

    /// Authenticates, selects the database, names the connection and looks whom it speaks with,
    /// in one round trip. Fails with `RedisProblem`.
    package func greet(
        _ configuration: RedisConfiguration, address: RedisAddress, name: String,
        deadline: Duration
    ) -> EventLoopFuture<RedisGreeting> {
        let steps = Self.steps(configuration, name: name)
        let replies = steps.map { send($0.arguments, deadline: deadline) }
        return EventLoopFuture.whenAllComplete(replies, on: eventLoop).flatMapThrowing { results in
            var greeting = RedisGreeting(address: address)
            for (step, result) in zip(steps.map(\.step), results) {
                try Self.check(step, result, into: &greeting)
            }
            return greeting
        }
    }

    private static func steps(
        _ configuration: RedisConfiguration, name: String
    ) -> [(step: Step, arguments: [RESPArgument])] {
        var steps: [(Step, [RESPArgument])] = []
        if let password = configuration.password {
            let user = configuration.username.map { [RESPArgument($0)] } ?? []
            steps.append((.authenticate, ["AUTH"] + user + [RESPArgument(password.value)]))
        }
        if configuration.database != 0 {
            steps.append((.select, ["SELECT", RESPArgument(configuration.database)]))
        }
        steps.append((.name, ["CLIENT", "SETNAME", RESPArgument(printable(name))]))
        steps.append((.info, ["INFO", "server"]))
        if configuration.sentinels != nil { steps.append((.role, ["ROLE"])) }
        steps.append((.ping, ["PING"]))
        return steps
    }

    private static func check(
        _ step: Step, _ result: Result<RESPValue, any Error>, into greeting: inout RedisGreeting
    ) throws {
        switch result {
        case .success(let value) where step == .info:
            let text = value.string ?? ""
            greeting.runID = RedisGreeting.infoField("run_id", in: text)
            greeting.version = RedisGreeting.infoField("redis_version", in: text)
        case .success(.array(let role)) where step == .role:
            guard role.first?.string == "master" else {
                throw RedisProblem(.readOnly, "the server that Sentinel named is not a primary")
            }
        case .success:
            break
        case .failure(let error):
            if case RedisError.server(let code, let message) = error {
                if let problem = problem(step, code, message) { throw problem }
            } else {
                throw RedisProblem(connecting: error, elseCode: .connectionLost)
            }
        }
    }

    private static func problem(_ step: Step, _ code: String, _ message: String) -> RedisProblem? {
        let known = RedisProblem(serverCode: code, message: message)
        if let known, known.code == .tooManyClients || known.code == .protectedMode { return known }
        switch step {
        case _ where step.isOptional:
            return known?.code == .authenticationFailed ? known : nil
        case .authenticate where message.hasPrefix("unknown command"):
            // Its text goes on to quote the arguments.
            return RedisProblem(.authenticationFailed, "the server does not know AUTH")
        case .authenticate:
            return RedisProblem(.authenticationFailed, "\(code) \(message)")
        case .select where known?.code != .authenticationFailed:
            return RedisProblem(.wrongDatabase, "\(code) \(message)")
        default:
            return known ?? RedisProblem(.refused, "\(code) \(message)")
        }
    }

    /// Redis takes printable ASCII without spaces for a name.
    private static func printable(_ name: String) -> String {
        String(
            decoding: name.utf8.map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "_") },
            as: UTF8.self)
    }
}
