import Cluster
import HTTPAPI
import JSON
import NIOCore
import RoomService
import RoomStore
import Rooms
import SocketIOServer

/// What the HTTP routes tell of this instance.
struct InstanceStatus: StatusSource {
    /// `Instance` itself has a property `rooms`, so it cannot be the source.
    let parts: Instance

    func instance() -> InstanceReport {
        InstanceReport(
            id: parts.settings.node.id, incarnation: parts.identity.incarnation,
            publicURL: parts.settings.node.publicURL.text, version: Build.version,
            uptime: parts.uptime,
            nodes: parts.settings.nodes.nodes.map(nodeReport))
    }

    func health() -> HealthReport {
        let standing = parts.cluster.standing
        let reasons = parts.unreadyReasons + parts.storage.reasons
        let status: HealthReport.Status =
            if parts.isDraining {
                .draining
            } else if standing == .joining {
                .starting
            } else {
                standing == .linked && reasons.isEmpty ? .healthy : .degraded
            }
        return HealthReport(
            status: status, isReady: parts.isReady, isDraining: parts.isDraining,
            isLinked: standing == .linked, reasons: reasons, redis: parts.storage.report)
    }

    func stats() -> StatsReport {
        let counts = parts.rooms.counts
        let engine = parts.server.metrics
        let leases = parts.cluster.leases
        return StatsReport(
            clients: counts.users, webSocketClients: engine.openWebSocketSessions,
            members: counts.members, rooms: counts.rooms, clusterRooms: nil,
            clusterClients: leases.isEmpty ? counts.users : leases.reduce(0) { $0 + $1.users },
            messagesReceived: engine.messagesReceived, messagesSent: engine.messagesSent)
    }

    func rooms() -> EventLoopFuture<[JSONValue]> {
        parts.rooms.roomItems().map { $0.map(\.json) }
    }

    func placement(of roomID: String) -> PlacementReport {
        let configured = parts.cluster.placement.configuredOwner(of: roomID) ?? parts.settings.node
        return PlacementReport(
            owner: nodeReport(parts.cluster.ownerNode(of: roomID) ?? configured),
            configuredOwnerID: configured.id)
    }

    func collectMetrics(into samples: inout MetricSamples) {
        samples.add(parts.server.metrics)
        let present = parts.rooms.counts
        samples.set(.laggingMembers, Double(present.lagging))
        samples.set(.heldBytes, Double(present.heldBytes))
        let counts = parts.rooms.roomMetrics
        samples.set(.roomsCreated, counts.roomsCreated)
        samples.set(.roomsDeleted, counts.roomsDeleted)
        samples.set(.commits, counts.commits)
        samples.set(.committedEntries, counts.committedEntries)
        samples.set(.localEntries, counts.localEntries)
        samples.set(.commitConflicts, counts.conflicts)
        samples.set(.gapReads, counts.gapReads)
        samples.set(.snapshotsSent, counts.snapshotsSent)
        samples.set(.refusals, counts.refusals)
        samples.set(.rateLimited, counts.rateLimited)
        samples.set(.storeFailures, counts.storeFailures)
        samples.set(.membersSwept, counts.membersSwept)
        samples.set(.recoveries, counts.recoveries)
        samples.set(.recoveriesByScene, counts.recoveriesByScene)
        samples.set(.redirects, counts.redirects)
        samples.set(.oversizedMessages, counts.oversizedMessages)
        samples.set(.fenced, counts.fenced)
        parts.storage.collectMetrics(into: &samples)
        parts.relay?.collectMetrics(into: &samples)
    }

    func adminReport() -> EventLoopFuture<AdminReport> {
        let details: JSONValue = [
            "incarnation": .string(parts.identity.incarnation),
            "standing": .string(parts.cluster.standing.rawValue),
            "leases": .array(
                parts.cluster.leases.map { lease in
                    [
                        "incarnation": .string(lease.incarnation), "beat": .integer(lease.beat),
                        "ready": .bool(lease.isReady), "draining": .bool(lease.isDraining),
                    ]
                }),
        ]
        let report = AdminReport(redisAddress: parts.storage.address, details: details)
        return parts.loop.makeSucceededFuture(report)
    }

    func adminRoom(_ id: String) -> EventLoopFuture<AdminRoomReport?> {
        parts.rooms.control(of: id).map { control in
            control.map { control in
                AdminRoomReport(
                    id: control.id, version: control.version, isProtected: control.isProtected,
                    members: control.membersBySeniority.map { member in
                        AdminRoomReport.Member(
                            id: member.id, name: member.name,
                            isHost: member.id == control.hostID, holder: member.holder,
                            joinedAt: member.joinedAt)
                    })
            }
        }
    }

    private func nodeReport(_ node: ClusterNode) -> NodeReport {
        let isOwn = node.id == parts.settings.node.id
        let state =
            isOwn
            ? (parts.isDraining ? PeerState.draining : parts.isReady ? .ready : .joining)
            : parts.cluster.peers.first { $0.id == node.id }?.state ?? .unknown
        return NodeReport(
            id: node.id, url: node.publicURL.text, state: state.rawValue,
            isAlive: state.isUsable, weight: node.server.weight)
    }
}
