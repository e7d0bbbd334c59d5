import Logging
import NIOCore
import SocketIOServer

/// The server that the official suites ask for, made of the library's public parts.
enum SuiteServer {
    static func make(host: String, port: Int, group: any EventLoopGroup) -> SocketIOServer {
        var limits = SocketLimits()
        limits.connectTimeout = .seconds(1)
        let echo = EngineMount(path: "/engine.io") { $0.delegate = EngineEcho() }
        let server = SocketIOServer(
            options: options(host: host, port: port), limits: limits, eventLoopGroup: group,
            logger: Logger(label: "protocol-suite-server"), mounts: [echo])
        for name in ["/", "/custom"] {
            server.of(name).onConnection(serve)
        }
        return server
    }

    private static func options(host: String, port: Int) -> ServerOptions {
        var options = ServerOptions()
        options.host = host
        options.port = port
        options.pingInterval = .milliseconds(300)
        options.pingTimeout = .milliseconds(200)
        // The suites look 500 ms after the opening whether a silent session is gone. What is
        // missing to 200 ms is for two ticks of our timer, of 10 ms each, and for a late one.
        options.pongPatience = .milliseconds(120)
        options.limits.maxPayloadBytes = 1_000_000
        return options
    }

    private static func serve(_ socket: Socket) {
        socket.emit("auth", socket.auth.map(JSONValue.raw) ?? [:])
        socket.on("message") { event in
            socket.emit(
                "message-back", arguments: event.arguments.values.map(JSONValue.raw),
                attachments: event.arguments.attachments)
        }
        socket.on("message-with-ack") { event in
            event.acknowledge?.send(
                event.arguments.values.map(JSONValue.raw),
                attachments: event.arguments.attachments)
        }
    }
}
