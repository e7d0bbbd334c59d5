/// What people read when something is refused or happens, in the language of the installation.
package struct Messages: Sendable {
    package enum Language: String, Sendable, CaseIterable {
        case english = "en"
        case spanish = "es"
    }

    private let language: Language

    package init(language: Language) {
        self.language = language
    }

    func text(_ code: ErrorCode) -> String {
        let (english, spanish) = Self.texts(code)
        return language == .spanish ? spanish : english
    }

    /// What a room's members are told when it is deleted.
    func roomDeleted(by host: String) -> String {
        switch language {
        case .english: "The room was deleted by \(host)"
        case .spanish: "La sala fue eliminada por \(host)"
        }
    }

    var roomEnded: String {
        switch language {
        case .english: "The room no longer exists"
        case .spanish: "La sala ya no existe"
        }
    }

    var fullEditorStored: String {
        switch language {
        case .english: "Scene saved"
        case .spanish: "Escena guardada"
        }
    }

    var shutdown: String {
        switch language {
        case .english: "This server restarts; the connection moves to another"
        case .spanish: "Este servidor se reinicia; la conexión pasa a otro"
        }
    }

    func field(_ problem: FieldProblem) -> String {
        let (english, spanish) = Self.texts(problem)
        return language == .spanish ? spanish : english
    }

    /// What is wrong with one field of a request.
    enum FieldProblem: Sendable, Hashable {
        case roomID
        case password
        case payload
        case editor(String)
        case missing(String)
    }

    private static func texts(_ problem: FieldProblem) -> (String, String) {
        switch problem {
        case .roomID:
            (
                "The room id must have 3 to 50 letters, digits, _ or -",
                "El id de sala debe tener de 3 a 50 letras, dígitos, _ o -"
            )
        case .password:
            (
                "The password must have at least 4 characters",
                "La contraseña debe tener al menos 4 caracteres"
            )
        case .payload:
            (
                "The request must be an object with a roomId",
                "La petición debe ser un objeto con roomId"
            )
        case .editor(let detail):
            ("The scene is not usable: \(detail)", "Escena no válida: \(detail)")
        case .missing(let name):
            ("'\(name)' is missing or malformed", "Falta '\(name)' o no es válido")
        }
    }

    private static func texts(_ code: ErrorCode) -> (String, String) {
        switch code {
        case .validation: ("The request is not valid", "La petición no es válida")
        case .missingData: ("Data are missing", "Faltan datos")
        case .roomExists: ("The room already exists", "La sala ya existe")
        case .creation: ("The room could not be created", "No se pudo crear la sala")
        case .roomNotFound: ("The room does not exist", "La sala no existe")
        case .invalidPassword: ("Wrong password", "Contraseña incorrecta")
        case .join: ("The room could not be joined", "No se pudo entrar en la sala")
        case .roomFull: ("The room is full", "La sala está llena")
        case .rateLimited:
            ("Too many requests: wait a moment", "Demasiadas peticiones: espera un momento")
        case .notHost: ("Only the host may do that", "Solo el anfitrión puede hacerlo")
        case .delete: ("The room could not be deleted", "No se pudo eliminar la sala")
        case .userNotInRoom: ("You are not in that room", "No estás en esa sala")
        case .tooLarge: ("Too large", "Demasiado grande")
        case .storageUnavailable:
            (
                "The store is not available: try again in a moment",
                "El almacén no está disponible: inténtalo en un momento"
            )
        case .internalError: ("Internal error", "Error interno")
        }
    }
}
