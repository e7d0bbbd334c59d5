import Logging
import RoomService
import SocketIOServer

extension SessionForwarding {
    private static let warning: Logger.Message = """
        the proxy is not sticky: requests of one long-polling session arrive at different \
        instances. They are forwarded, which costs time. Let the proxy choose the instance by what \
        stands before the last dot of `sid` in the query, or by a hash of the client's address; or \
        use nginx/tandem.conf.template. This is said once
        """

    /// To the instances that the cluster knows; says once in the log what the proxy does wrong.
    init(through cluster: ClusterService, _ logger: Logger) {
        self.init { [weak cluster] sid in cluster?.sessionHome(sid) }
        onFirstForward = { first in
            logger.warning(
                Self.warning,
                metadata: [
                    "proxy": "\(first.peerAddress)", "forwarded-to": "\(first.target.name)",
                ])
        }
    }
}
