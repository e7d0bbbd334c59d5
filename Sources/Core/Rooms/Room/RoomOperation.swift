import JSON

/// What somebody wants to happen in a room. `RoomControl.decide` turns it into entries or refuses.
package enum RoomOperation: Sendable {
    case join(Joiner)
    case leave(memberID: String, cause: LeaveCause)
    /// The member's connection at `holder` broke.
    case markAway(memberID: String, holder: String)
    /// The member that is away has not come back to anybody in its time.
    case expire(memberID: String, holder: String)
    /// A client with the member's secret is back, at `holder`.
    case claim(memberID: String, key: String, holder: String)
    case rename(memberID: String, name: String)
    case edit(SceneEdit, by: String)
    /// `basedOn`: the newest scene version that the uploader has been sent (R22).
    case upload(SceneUpload, by: String, basedOn: Version)
    case delete(by: String)
    /// The members that a dead incarnation held.
    case sweep(holder: String)
    /// A look at the host's grace time.
    case checkHost(nowMilliseconds: Int64)
}

/// Somebody at the door.
package struct Joiner: Sendable, Hashable {
    package var member: Member
    /// The stored hash against which the given password was verified; nil if none was or it failed.
    package var verifiedHash: String?
    /// Incarnations known to be gone: a member of theirs with the same credential is replaced.
    package var goneHolders: Set<String>
    /// The member that the joiner was before: he comes in its place, without a password, or not at
    /// all.
    package var returning: Proof?

    /// A member, and the digest of the secret that only its client was given.
    package struct Proof: Sendable, Hashable {
        package var memberID: String
        package var key: String

        package init(memberID: String, key: String) {
            self.memberID = memberID
            self.key = key
        }
    }

    package init(
        member: Member, verifiedHash: String?, goneHolders: Set<String> = [],
        returning: Proof? = nil
    ) {
        self.member = member
        self.verifiedHash = verifiedHash
        self.goneHolders = goneHolders
        self.returning = returning
    }
}

/// Why an operation was refused.
package enum RoomRefusal: Error, Sendable, Hashable {
    case invalidPassword
    case roomFull
    case notMember
    case notHost
}

/// What an operation comes to.
package enum Decision: Sendable, Hashable {
    /// To be committed, in this order. `conditional`: right only if nothing else is committed
    /// before; otherwise decided anew.
    case commit([RoomEntry.Change], conditional: Bool)
    /// Nothing to change: the answer is success.
    case unchanged
    /// A full upload of a scene that the room has left behind: the answer is success and the
    /// sender is sent the current scene (R22).
    case stale
    case refused(RoomRefusal)
}

extension RoomControl {
    /// Decides an operation on this state. Pure: the same state and operation give the same answer
    /// on every instance.
    package func decide(_ operation: RoomOperation, limits: RoomLimits) -> Decision {
        switch operation {
        case .join(let joiner): decide(joiner, limits)
        case .leave(let memberID, let cause): decideLeave(memberID, cause)
        case .markAway(let memberID, let holder): decideAway(memberID, holder)
        case .expire(let memberID, let holder):
            members[memberID].map { $0.isAway && $0.holder == holder } == true
                ? decideLeave(memberID, .disconnected) : .unchanged
        case .claim(let memberID, let key, let holder):
            proves(Joiner.Proof(memberID: memberID, key: key))
                ? .commit([.moved(memberID: memberID, holder: holder)], conditional: true)
                : .refused(.notMember)
        case .rename(let memberID, let name): decideRename(memberID, name)
        case .edit(let edit, let memberID):
            members[memberID] == nil
                ? .refused(.notMember)
                : .commit([.edited(edit, by: memberID)], conditional: false)
        case .upload(let upload, let memberID, let base): decide(upload, memberID, base)
        case .delete(let memberID):
            members[memberID] == nil
                ? .refused(.notMember)
                : hostID == memberID
                    ? .commit([.deleted(by: memberID)], conditional: true) : .refused(.notHost)
        case .sweep(let holder): decideSweep(holder)
        case .checkHost(let now): decideHost(now, limits)
        }
    }

    /// Whether the credential or the proof opens the door.
    package func admits(_ joiner: Joiner, at now: Int64, limits: RoomLimits) -> Bool {
        if let proof = joiner.returning { return proves(proof) }
        guard let passwordHash else { return true }
        if joiner.verifiedHash == passwordHash { return true }
        let credential = joiner.member.credential
        guard !credential.isEmpty, let seen = authorised[credential] else { return false }
        return now - seen < limits.authorisationMilliseconds
            || members.values.contains { $0.credential == credential }
    }

    /// Whether there is such a member and the secret is the one that its client was given.
    package func proves(_ proof: Joiner.Proof) -> Bool {
        guard let member = members[proof.memberID], !member.returnKey.isEmpty else { return false }
        return member.returnKey == proof.key
    }

    private func decide(_ joiner: Joiner, _ limits: RoomLimits) -> Decision {
        let member = joiner.member
        if members[member.id] != nil { return .unchanged }
        if let proof = joiner.returning, !proves(proof) { return .refused(.notMember) }
        guard admits(joiner, at: member.joinedAt, limits: limits) else {
            return .refused(.invalidPassword)
        }
        let replaced = replacedMember(by: joiner)
        guard replaced != nil || members.count < limits.members else { return .refused(.roomFull) }
        let takesHost = takesHost(joiner, replacing: replaced, limits)
        let entry = RoomEntry.Change.joined(member, replacing: replaced, takesHost: takesHost)
        return .commit([entry], conditional: true)
    }

    /// The member that the joiner was before a reconnection: same credential, its connection known
    /// to be gone. A second tab of the same browser is another member.
    private func replacedMember(by joiner: Joiner) -> String? {
        if let proof = joiner.returning { return proof.memberID }
        let credential = joiner.member.credential
        guard !credential.isEmpty else { return nil }
        let gone = members.values.filter { member in
            member.credential == credential
                && (member.isAway || joiner.goneHolders.contains(member.holder))
        }
        if let hostID, gone.contains(where: { $0.id == hostID }) { return hostID }
        return gone.min { ($0.joinedAt, $0.id) < ($1.joinedAt, $1.id) }?.id
    }

    private func takesHost(_ joiner: Joiner, replacing: String?, _ limits: RoomLimits) -> Bool {
        if let hostID { return replacing == hostID }
        if !joiner.member.credential.isEmpty, joiner.member.credential == hostCredential {
            return true
        }
        let graceIsOver =
            hostCredential.isEmpty
            || joiner.member.joinedAt - hostAbsentSince >= limits.hostGraceMilliseconds
        return members.isEmpty && graceIsOver
    }

    private func decideLeave(_ memberID: String, _ cause: LeaveCause) -> Decision {
        guard let member = members[memberID] else { return .unchanged }
        var changes: [RoomEntry.Change] = [
            .left(memberID: memberID, cause: cause, name: member.name)
        ]
        if hostID == memberID {
            var after = self
            after.members[memberID] = nil
            let heir = cause == .left ? after.oldestMember : after.hostsOtherSelf
            if let heir { changes.append(.hostHandedOver(memberID: heir.id)) }
        }
        return .commit(changes, conditional: true)
    }

    private func decideAway(_ memberID: String, _ holder: String) -> Decision {
        guard let member = members[memberID], member.holder == holder, !member.isAway else {
            return .unchanged
        }
        return .commit([.away(memberID: memberID, holder: holder)], conditional: true)
    }

    /// Who is the host by the credential, under another connection: a second tab, or a return that
    /// came before the old connection was known to be gone. The role need not wait for a return.
    private var hostsOtherSelf: Member? {
        guard !hostCredential.isEmpty else { return nil }
        return membersBySeniority.first { $0.credential == hostCredential }
    }

    private func decideRename(_ memberID: String, _ name: String) -> Decision {
        guard let member = members[memberID] else { return .refused(.notMember) }
        if member.name == name { return .unchanged }
        return .commit(
            [.renamed(memberID: memberID, name: name, from: member.name)], conditional: false)
    }

    private func decide(_ upload: SceneUpload, _ memberID: String, _ base: Version) -> Decision {
        guard members[memberID] != nil else { return .refused(.notMember) }
        if let uploadHash, uploadHash == upload.hash { return .unchanged }
        if base < sceneVersion(apartFrom: memberID) { return .stale }
        return .commit([.uploaded(upload, by: memberID)], conditional: true)
    }

    private func decideSweep(_ holder: String) -> Decision {
        let gone = membersBySeniority.filter { $0.holder == holder }
        if gone.isEmpty { return .unchanged }
        var changes = gone.map {
            RoomEntry.Change.left(memberID: $0.id, cause: .swept, name: $0.name)
        }
        if let hostID, gone.contains(where: { $0.id == hostID }) {
            var after = self
            for member in gone { after.members[member.id] = nil }
            if let heir = after.hostsOtherSelf {
                changes.append(.hostHandedOver(memberID: heir.id))
            }
        }
        return .commit(changes, conditional: true)
    }

    private func decideHost(_ now: Int64, _ limits: RoomLimits) -> Decision {
        guard hostID == nil, let heir = oldestMember else { return .unchanged }
        let graceIsOver =
            hostCredential.isEmpty || now - hostAbsentSince >= limits.hostGraceMilliseconds
        guard graceIsOver else { return .unchanged }
        return .commit([.hostHandedOver(memberID: heir.id)], conditional: true)
    }
}
