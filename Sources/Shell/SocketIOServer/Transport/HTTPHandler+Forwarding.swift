import EngineIO
import NIOCore
import NIOHTTP1

/// Requests whose session is not here.
extension HTTPHandler {
    /// To the instance that has the session; refused where none is known, and where the request
    /// comes from another instance.
    func elsewhere(_ sid: String, _ request: IncomingRequest) -> IncomingRequest.Route {
        let head = request.head
        guard let forwarding = engine.options.forwarding,
            !head.headers.contains(name: SessionForwarding.header),
            head.uri.hasPrefix("/"), let target = forwarding.home(sid)
        else { return refused(.refusal(.unknownSession)) }
        if WebSocketUpgrade.isRequested(by: head), WebSocketUpgrade(head) == nil {
            return refused(WebSocketUpgrade.refusal)
        }
        let forward = Forward(
            request, sid: sid, to: target, forwarding, engine: engine, loop: loop)
        request.exchange.forward = forward
        return .forward(forward)
    }

    func forward(_ request: IncomingRequest, _ forward: Forward) {
        if let upgrade = WebSocketUpgrade(request.head) {
            forward.onSwitch = { [weak self] tunnel in
                guard let self, let context = channelContext,
                    case .answering(let current) = phase, current === request
                else { return false }
                return switchProtocol(upgrade, headers: [], to: tunnel, context)
            }
        }
        forward.send(request)
    }
}
