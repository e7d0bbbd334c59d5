/// Every metric of the product, once.
extension Metric {
    // MARK: The instance

    package static let info = Metric(
        "tandem_info", .gauge, "1, with the instance id and the version as labels")
    package static let uptime = Metric(
        "tandem_uptime_seconds", .gauge, "Seconds since the process started")
    package static let ready = Metric(
        "tandem_ready", .gauge, "1 if new clients should be sent here")
    package static let linked = Metric(
        "tandem_linked", .gauge, "1 if the store that instances share is reached")
    package static let status = Metric(
        "tandem_status", .gauge, "1 for the status that the instance has, 0 for the others")
    package static let nodeAlive = Metric(
        "tandem_node_alive", .gauge, "1 if this instance would place rooms on that node")
    package static let processMemory = Metric(
        "process_resident_memory_bytes", .gauge, "Bytes in physical memory")

    // MARK: Clients and rooms

    package static let clients = Metric(
        "tandem_clients", .gauge, "Socket.IO clients of this instance")
    package static let members = Metric(
        "tandem_members", .gauge, "Clients of this instance that are in a room")
    package static let laggingMembers = Metric(
        "tandem_members_lagging", .gauge, "Members that read too slowly at the moment")
    package static let heldBytes = Metric(
        "tandem_held_bytes", .gauge, "Bytes of events held back for busy and slow members")
    package static let rooms = Metric(
        "tandem_rooms", .gauge, "Rooms that this instance serves at the moment")
    package static let roomsCreated = Metric(
        "tandem_rooms_created_total", .counter, "Rooms created through this instance")
    package static let roomsDeleted = Metric(
        "tandem_rooms_deleted_total", .counter, "Rooms deleted through this instance")
    package static let commits = Metric(
        "tandem_commits_total", .counter, "Batches committed to the store")
    package static let committedEntries = Metric(
        "tandem_committed_entries_total", .counter, "Entries committed to the store")
    package static let localEntries = Metric(
        "tandem_local_entries_total", .counter,
        "Entries committed in memory while the store was away")
    package static let localBytes = Metric(
        "tandem_local_bytes", .gauge, "Bytes of entries held for Redis while it is away")
    package static let pendingRooms = Metric(
        "tandem_pending_rooms", .gauge, "Rooms that have yet to be brought to Redis")
    package static let restoredRooms = Metric(
        "tandem_restored_rooms_total", .counter, "Rooms put back into a Redis that lost them")
    package static let mergedRooms = Metric(
        "tandem_merged_rooms_total", .counter, "Rooms that both sides of an outage had changed")
    package static let refusedCommits = Metric(
        "tandem_refused_commits_total", .counter,
        "Commits refused because memory for local entries was used up")
    package static let commitConflicts = Metric(
        "tandem_commit_conflicts_total", .counter,
        "Batches decided anew because another instance had committed")
    package static let gapReads = Metric(
        "tandem_gap_reads_total", .counter, "Reads of the log because notices were missed")
    package static let snapshotsSent = Metric(
        "tandem_snapshots_sent_total", .counter, "Full scenes sent to clients")
    package static let refusals = Metric(
        "tandem_refused_requests_total", .counter, "Events answered with an error")
    package static let rateLimited = Metric(
        "tandem_rate_limited_total", .counter, "Events refused for coming too fast")
    package static let storeFailures = Metric(
        "tandem_store_failures_total", .counter, "Operations of the store that failed")
    package static let membersSwept = Metric(
        "tandem_members_swept_total", .counter, "Members of dead instances that were removed")
    package static let recoveries = Metric(
        "tandem_recoveries_total", .counter,
        "Clients that came back as the members they were, with what they missed")
    package static let recoveriesByScene = Metric(
        "tandem_recoveries_by_scene_total", .counter,
        "Members that came back and got the scene instead of what they missed")
    package static let redirects = Metric(
        "tandem_redirects_total", .counter, "Clients sent to the owner of their room")
    package static let oversizedMessages = Metric(
        "tandem_oversized_messages_total", .counter, "Messages skipped for being too long")
    package static let fenced = Metric(
        "tandem_fenced_total", .counter, "Times this instance was declared dead by another")

    // MARK: Redis

    package static let redisConnected = Metric(
        "tandem_redis_connected", .gauge, "1 if Redis answers")
    package static let redisLatency = Metric(
        "tandem_redis_latency_seconds", .gauge, "Seconds that the last answered ping took")
    package static let redisCommands = Metric(
        "tandem_redis_commands_total", .counter, "Commands sent to Redis")
    package static let redisReconnects = Metric(
        "tandem_redis_reconnects_total", .counter, "Connections to Redis made anew")
    package static let redisDeadlineMisses = Metric(
        "tandem_redis_deadline_misses_total", .counter, "Commands without a reply in time")
    package static let redisSubscriptionsLost = Metric(
        "tandem_redis_subscriptions_lost_total", .counter, "Subscriptions that fell silent")
    package static let redisEvictedKeys = Metric(
        "tandem_redis_evicted_keys", .gauge,
        "Keys that Redis has dropped since its start for want of memory; more than 0 is an alarm")
    package static let redisInFlight = Metric(
        "tandem_redis_commands_in_flight", .gauge, "Commands that wait for their reply")

    // MARK: The official adapter's traffic

    package static let relayListening = Metric(
        "tandem_relay_listening", .gauge, "1 if programs with the official adapter are heard")
    package static let relayPublished = Metric(
        "tandem_relay_published_total", .counter, "Messages published in the official format")
    package static let relayUnpublished = Metric(
        "tandem_relay_unpublished_total", .counter,
        "Messages not published: Redis was away, or they were too large")
    package static let relayReceived = Metric(
        "tandem_relay_received_total", .counter,
        "Messages heard on the official channels, own ones included")
    package static let relayDelivered = Metric(
        "tandem_relay_delivered_total", .counter, "Broadcasts of others passed to clients here")
    package static let relayRequests = Metric(
        "tandem_relay_requests_total", .counter, "Requests of others carried out")
    package static let relayMalformed = Metric(
        "tandem_relay_malformed_total", .counter, "Messages dropped: malformed, or too large")

    // MARK: Engine.IO

    package static let engineConnections = Metric(
        "tandem_engine_open_connections", .gauge, "Open TCP connections")
    package static let engineSessions = Metric(
        "tandem_engine_open_sessions", .gauge, "Open Engine.IO sessions, by transport")
    package static let engineConnectionsTotal = Metric(
        "tandem_engine_connections_total", .counter, "TCP connections accepted")
    package static let engineSessionsTotal = Metric(
        "tandem_engine_sessions_total", .counter, "Engine.IO sessions opened")
    package static let engineUpgrades = Metric(
        "tandem_engine_upgrades_total", .counter, "Sessions moved from polling to a WebSocket")
    package static let engineRequests = Metric(
        "tandem_engine_http_requests_total", .counter, "HTTP requests of any kind")
    package static let engineMessagesReceived = Metric(
        "tandem_engine_messages_received_total", .counter, "Messages from clients")
    package static let engineMessagesSent = Metric(
        "tandem_engine_messages_sent_total", .counter, "Messages to clients")
    package static let engineBytesReceived = Metric(
        "tandem_engine_received_bytes_total", .counter, "Bytes from clients")
    package static let engineBytesSent = Metric(
        "tandem_engine_sent_bytes_total", .counter, "Bytes to clients")
    package static let engineDiscarded = Metric(
        "tandem_engine_discarded_messages_total", .counter, "Too long messages skipped")
    package static let engineRefusals = Metric(
        "tandem_engine_refusals_total", .counter, "Connections and sessions turned away")
    package static let engineProtocolErrors = Metric(
        "tandem_engine_protocol_errors_total", .counter, "Sessions ended by a protocol error")
    package static let enginePingTimeouts = Metric(
        "tandem_engine_ping_timeouts_total", .counter, "Sessions whose client fell silent")
    package static let engineSlowClients = Metric(
        "tandem_engine_slow_clients_total", .counter, "Sessions closed for reading too slowly")
    package static let engineBacklog = Metric(
        "tandem_engine_backlog_bytes", .gauge, "Bytes waiting for sessions that are backed up")
    package static let engineForwards = Metric(
        "tandem_engine_forwards_total", .counter,
        "Requests forwarded to the instance that has their session: the proxy is not sticky"
    )
    package static let engineForwardFailures = Metric(
        "tandem_engine_forward_failures_total", .counter,
        "Requests for a session of another instance that could not be forwarded")
    package static let engineOpenTunnels = Metric(
        "tandem_engine_open_tunnels", .gauge, "WebSockets whose session another instance has")

    // MARK: HTTP

    package static let httpResponses = Metric(
        "tandem_http_responses_total", .counter, "Answers of plain routes, by route and status")
    package static let httpSeconds = Metric(
        "tandem_http_response_seconds", .histogram, "Seconds from a plain request to its answer")
}
