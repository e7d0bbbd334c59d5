import JSON
import Rooms
import Testing

@testable import RoomService
@testable import SocketIOServer

/// What tests of returning clients look at.
enum Recovery {
    /// Objects of the edits in what a client was sent, in order.
    static func edits(_ messages: [TestClient.Message]) -> [String] {
        messages.compactMap { message in
            message.name == "receive-editor-object-update"
                ? message.payload["objectUuid"]?.string : nil
        }
    }

    static func names(_ list: JSONText?) -> [String] {
        list?.elements.compactMap { $0["name"]?.string } ?? []
    }

    static func position(_ world: World) throws -> String {
        let control = try #require(try world.stored()).control
        return RoomOffset(room: "room", epoch: control.epoch, version: control.version).text
    }

    static func expectScene(
        _ again: TestClient, insteadOf earlier: TestClient, objects: [String],
        in world: World
    ) throws {
        #expect(!again.isRecovered)
        #expect(again.id != earlier.id)
        let messages = again.take()
        #expect(
            messages.map(\.name) == [
                "joined-room", "receive-full-editor", "users-list", "user-count",
            ])
        guard messages.count == 4 else { return }
        #expect(Scenes.objects(messages[1].payload).sorted() == objects)
        #expect(try world.stored()?.control.members[earlier.id] == nil)
        #expect(try world.stored()?.control.members[again.id] != nil)
    }
}
