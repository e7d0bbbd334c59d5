/// The page for people, inside the program: an instance serves it without any folder at run time.
///
/// nginx serves the same files from a folder (scripts/build-for-nginx.sh). A module that is added
/// to `assets/` is added to `files` too; a test follows the page's imports and finds one that was
/// forgotten.
package enum Web {
    package struct File: Sendable {
        /// As a browser asks for it.
        package let path: String
        package let contentType: String
        package let bytes: [UInt8]
    }

    package static let files: [File] = [
        File(
            path: "/", contentType: "text/html; charset=utf-8",
            bytes: PackageResources.index_html),
        style("page.css", PackageResources.page_css),
        style("room.css", PackageResources.room_css),
        script("main.js", PackageResources.main_js),
        script("connection.js", PackageResources.connection_js),
        script("session.js", PackageResources.session_js),
        script("outbox.js", PackageResources.outbox_js),
        script("scene.js", PackageResources.scene_js),
        script("shape.js", PackageResources.shape_js),
        script("stage.js", PackageResources.stage_js),
        script("drawing.js", PackageResources.drawing_js),
        script("lobby.js", PackageResources.lobby_js),
        script("room.js", PackageResources.room_js),
        script("status.js", PackageResources.status_js),
        script("dialogs.js", PackageResources.dialogs_js),
        script("dom.js", PackageResources.dom_js),
        File(
            path: "/assets/icon.svg", contentType: "image/svg+xml",
            bytes: PackageResources.icon_svg),
    ]

    private static func script(_ name: String, _ bytes: [UInt8]) -> File {
        File(path: "/assets/\(name)", contentType: "text/javascript; charset=utf-8", bytes: bytes)
    }

    private static func style(_ name: String, _ bytes: [UInt8]) -> File {
        File(path: "/assets/\(name)", contentType: "text/css; charset=utf-8", bytes: bytes)
    }
}
