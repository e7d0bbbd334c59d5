import JSON

/// Everything of a room but its scene: who is in it, who is host, who may come in. Small, so that a
/// batch can be decided on a copy before it is committed.
///
/// Invariants: `hostID` names a member or is nil; while it is nil, `hostAbsentSince` tells since
/// when; `version` is that of the last entry folded in.
package struct RoomControl: Sendable, Hashable {
    package let id: String
    /// The version of the creating entry. Tells this room from a later one of the same name.
    package let epoch: Version
    package internal(set) var version: Version
    package internal(set) var passwordHash: String?
    package internal(set) var members: [String: Member] = [:] {
        didSet { countHolders() }
    }
    /// How many members each instance incarnation holds.
    package private(set) var holders: [String: Int] = [:]
    package internal(set) var hostID: String?
    package internal(set) var hostCredential: String = ""
    package internal(set) var hostName: String = ""
    /// Unix milliseconds since the room is without its host, or 0.
    package internal(set) var hostAbsentSince: Int64 = 0
    /// Credentials that have shown the password, and when they were last seen (Unix milliseconds).
    package internal(set) var authorised: [String: Int64] = [:]
    /// Unix milliseconds since nobody is in the room, or 0.
    package internal(set) var emptySince: Int64 = 0
    /// The version of the last scene change, 0 before the first.
    package internal(set) var sceneVersion: Version = 0
    /// Who made the last scene change.
    package internal(set) var sceneAuthor: String = ""
    /// The version of the last scene change that was not by `sceneAuthor`.
    package internal(set) var othersSceneVersion: Version = 0
    /// Hash of the last full upload while nothing was edited since (R18).
    package internal(set) var uploadHash: String?

    package init(id: String, epoch: Version) {
        self.id = id
        self.epoch = epoch
        version = epoch
    }

    /// When the room was made, in Unix milliseconds.
    package var createdAt: Int64 { VersionClock.milliseconds(of: epoch) }
    /// When something last happened, in Unix milliseconds.
    package var lastActivity: Int64 { VersionClock.milliseconds(of: version) }
    package var isProtected: Bool { passwordHash != nil }
    package var host: Member? { hostID.flatMap { members[$0] } }

    /// The version of the last scene change that somebody else than `memberID` made.
    package func sceneVersion(apartFrom memberID: String) -> Version {
        memberID == sceneAuthor ? othersSceneVersion : sceneVersion
    }

    /// Oldest first.
    package var membersBySeniority: [Member] {
        members.values.sorted { ($0.joinedAt, $0.id) < ($1.joinedAt, $1.id) }
    }

    package var oldestMember: Member? {
        members.values.min { ($0.joinedAt, $0.id) < ($1.joinedAt, $1.id) }
    }
}

extension RoomControl {
    /// Takes one committed entry into account. Entries are folded in version order; one that
    /// contradicts the state (a member unknown here) changes only the version.
    package mutating func fold(_ entry: VersionedEntry, limits: RoomLimits = RoomLimits()) {
        let at = entry.milliseconds
        version = max(version, entry.version)
        switch entry.entry.change {
        case .created(let creator, let hash, let editor):
            passwordHash = hash
            insert(creator, at: at, limits: limits)
            takeHost(creator)
            if let editor { noteUpload(editor, by: creator.id, at: entry.version) }
        case .joined(let member, let replacing, let takesHost):
            join(member, replacing: replacing, takesHost: takesHost, at: at, limits: limits)
        case .left(let memberID, let cause, _):
            leave(memberID, cause: cause, at: at)
        case .away(let memberID, let holder):
            if members[memberID]?.holder == holder { members[memberID]?.isAway = true }
        case .moved(let memberID, let holder):
            if var member = members[memberID] {
                member.holder = holder
                member.isAway = false
                members[memberID] = member
            }
        case .renamed(let memberID, let name, _):
            members[memberID]?.name = name
            if memberID == hostID { hostName = name }
        case .hostHandedOver(let memberID):
            if let member = members[memberID] { takeHost(member) }
        case .edited(_, let memberID):
            noteSceneChange(by: memberID, at: entry.version)
            uploadHash = nil
        case .uploaded(let upload, let memberID):
            noteUpload(upload, by: memberID, at: entry.version)
        case .deleted:
            members.removeAll()
            hostID = nil
            emptySince = at
        }
    }

    private mutating func join(
        _ member: Member, replacing: String?, takesHost: Bool, at: Int64, limits: RoomLimits
    ) {
        var member = member
        if let replacing, let old = members.removeValue(forKey: replacing) {
            member.joinedAt = old.joinedAt
            if hostID == replacing { hostID = nil }
        }
        insert(member, at: at, limits: limits)
        if takesHost { takeHost(member) }
        if hostID == nil, hostAbsentSince == 0 { hostAbsentSince = at }
    }

    mutating func countHolders() {
        holders = members.values.reduce(into: [:]) { $0[$1.holder, default: 0] += 1 }
    }

    private mutating func insert(_ member: Member, at: Int64, limits: RoomLimits) {
        members[member.id] = member
        emptySince = 0
        guard isProtected, !member.credential.isEmpty else { return }
        authorised[member.credential] = at
        if authorised.count > limits.authorisedCredentials { forgetAuthorisations(at, limits) }
    }

    private mutating func forgetAuthorisations(_ now: Int64, _ limits: RoomLimits) {
        authorised = authorised.filter { now - $0.value < limits.authorisationMilliseconds }
        guard authorised.count > limits.authorisedCredentials else { return }
        let present = Set(members.values.map(\.credential))
        let idle = authorised.filter { !present.contains($0.key) }
        let oldest = idle.min { ($0.value, $0.key) < ($1.value, $1.key) }
        if let oldest { authorised[oldest.key] = nil }
    }

    private mutating func takeHost(_ member: Member) {
        hostID = member.id
        hostCredential = member.credential
        hostName = member.name
        hostAbsentSince = 0
    }

    private mutating func leave(_ memberID: String, cause: LeaveCause, at: Int64) {
        guard let member = members.removeValue(forKey: memberID) else { return }
        if hostID == memberID {
            hostID = nil
            hostAbsentSince = at
            if cause == .left { hostCredential = "" }
        }
        if !member.credential.isEmpty, authorised[member.credential] != nil {
            authorised[member.credential] = at
        }
        if members.isEmpty { emptySince = at }
    }

    private mutating func noteUpload(_ upload: SceneUpload, by memberID: String, at: Version) {
        noteSceneChange(by: memberID, at: at)
        uploadHash = upload.hash
    }

    private mutating func noteSceneChange(by memberID: String, at version: Version) {
        if memberID != sceneAuthor {
            othersSceneVersion = sceneVersion
            sceneAuthor = memberID
        }
        sceneVersion = version
    }
}
