"""Scenes in three.js' JSON shape, as the editor sends them, and a model of one to compare."""

import copy
import uuid as uuids

IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def new_uuid() -> str:
    return str(uuids.uuid4()).upper()


def box(name: str = "Box", uuid: str | None = None, **properties) -> dict:
    """A mesh as a node of the tree."""
    node = {
        "uuid": uuid or new_uuid(),
        "type": "Mesh",
        "name": name,
        "layers": 1,
        "matrix": list(IDENTITY),
        "up": [0, 1, 0],
    }
    return node | properties


def object_data(node: dict) -> dict:
    """What `Object3D.toJSON()` gives for a node: an object of its own with its assets."""
    return {
        "metadata": {"version": 4.7, "type": "Object", "generator": "Object3D.toJSON"},
        "geometries": [],
        "materials": [],
        "object": node,
    }


def editor(
    *nodes: dict,
    scripts: dict | None = None,
    background: int | None = None,
    fog: dict | None = None,
    padding: str = "",
) -> dict:
    """A whole editor state, as in `sync-full-editor`: the scene twice."""
    root = {
        "uuid": new_uuid(),
        "type": "Scene",
        "name": "Scene",
        "layers": 1,
        "matrix": list(IDENTITY),
        "up": [0, 1, 0],
        "children": list(nodes),
    }
    if background is not None:
        root["background"] = background
    if fog is not None:
        root["fog"] = fog
    if padding:
        root["userData"] = {"padding": padding}
    scene = {
        "metadata": {"version": 4.7, "type": "Object", "generator": "Object3D.toJSON"},
        "geometries": [],
        "materials": [],
        "textures": [],
        "images": [],
        "object": root,
    }
    camera_object = {
        "uuid": new_uuid(),
        "type": "PerspectiveCamera",
        "name": "Camera",
        "layers": 1,
        "matrix": list(IDENTITY),
        "fov": 50,
        "aspect": 1,
        "near": 0.01,
        "far": 1000,
    }
    return {
        "metadata": {},
        "project": {"shadows": True, "shadowType": 1, "toneMapping": 0, "toneMappingExposure": 1},
        "camera": {"metadata": {"version": 4.7, "type": "Object"}, "object": camera_object},
        "scene": scene,
        "scripts": scripts or {},
        "history": {"undos": [], "redos": []},
        "environment": None,
        "object": copy.deepcopy(scene),
        "geometries": {},
        "materials": {},
    }


def creation_editor(*nodes: dict, **options) -> dict:
    """The smaller state that `create-room` carries."""
    whole = editor(*nodes, **options)
    for key in ("object", "geometries", "materials"):
        del whole[key]
    return whole


def uuids_in(node) -> set[str]:
    """Every uuid in a node and below it."""
    found = set()
    if isinstance(node, dict):
        if isinstance(node.get("uuid"), str):
            found.add(node["uuid"])
        for child in node.get("children") or []:
            found |= uuids_in(child)
    return found


def srgb_integer(r: float, g: float, b: float) -> int:
    """Linear light 0…1 to the integer that a scene holds."""

    def channel(value):
        encoded = 12.92 * value if value < 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        return max(0, min(255, int(encoded * 255 + 0.5)))

    return channel(r) << 16 | channel(g) << 8 | channel(b)


class SceneModel:
    """What a member sees: objects by uuid with their own properties and parent, scripts, background,
    fog. Folds the same events as the editor does."""

    def __init__(self):
        self.root: str | None = None
        self.objects: dict[str, dict] = {}
        self.parents: dict[str, str | None] = {}
        self.scripts: dict[str, list[dict]] = {}
        self.background: int | None = None
        self.fog: dict | None = None

    @property
    def has_content(self) -> bool:
        return bool(self.objects) or bool(self.scripts) or self.background is not None

    def replace(self, editor_data: dict):
        """Throws where the editor throws."""
        scene = editor_data["scene"]
        editor_data["camera"]
        history = editor_data.get("history", {"undos": [], "redos": []})
        len(history["undos"]), len(history["redos"])
        scripts = editor_data["scripts"]
        if not isinstance(scripts, dict):
            raise TypeError("scripts is no object")
        root = scene["object"]
        self.__init__()
        self.root = root.get("uuid")
        self.background = root.get("background")
        self.fog = _fog_of_scene(root.get("fog"))
        for child in root.get("children") or []:
            self._insert(child, None)
        # The editor keeps the scripts of objects that it finds in this second, slim tree.
        known = uuids_in(editor_data.get("object"))
        self.scripts = {key: copy.deepcopy(value) for key, value in scripts.items() if key in known}

    def _insert(self, node: dict, parent: str | None):
        own = {key: copy.deepcopy(value) for key, value in node.items() if key != "children"}
        self.objects[node["uuid"]] = own
        self.parents[node["uuid"]] = parent
        for child in node.get("children") or []:
            self._insert(child, node["uuid"])

    def update(self, data: dict, uuid: str, change_type: str) -> bool:
        """False for an object that is not known and not brought by this change."""
        node = data.get("object", data)
        if uuid in self.objects:
            own = {key: copy.deepcopy(value) for key, value in node.items() if key != "children"}
            self.objects[uuid] = own | {"uuid": uuid}
            return True
        if change_type in ("object-added", "imported-object", "force-sync"):
            self._insert(node | {"uuid": uuid}, None)
            return True
        return False

    def remove(self, uuid: str):
        if uuid not in self.objects:
            return
        for child in [one for one, parent in self.parents.items() if parent == uuid]:
            self.remove(child)
        del self.objects[uuid]
        del self.parents[uuid]

    def set_background(self, data: dict | None):
        self.background = None if data is None else srgb_integer(data["r"], data["g"], data["b"])

    def set_fog(self, data: dict | None):
        if data is None:
            self.fog = None
            return
        color = data["color"]
        self.fog = {key: value for key, value in data.items() if key != "color"}
        self.fog["color"] = srgb_integer(color["r"], color["g"], color["b"])

    def add_script(self, uuid: str, script: dict):
        self.scripts.setdefault(uuid, []).append(dict(script))

    def change_script(self, uuid: str, script: dict):
        scripts = self.scripts.get(uuid) or []
        same = [one for one in scripts if one["name"] == script["name"]]
        if scripts:
            (same or scripts)[0].update(script)

    def comparable(self) -> dict:
        """The same value for the same scene."""
        return {
            "objects": self.objects,
            "parents": self.parents,
            "scripts": {
                key: value for key, value in self.scripts.items() if value and key in self.objects
            },
            "background": self.background,
            "fog": self.fog,
        }

    def difference(self, other: "SceneModel") -> str:
        """Empty when both are the same, else what differs, for an assertion's message."""
        mine, theirs = self.comparable(), other.comparable()
        parts = []
        for key in mine:
            if mine[key] == theirs[key]:
                continue
            if not isinstance(mine[key], dict) or not isinstance(theirs[key], dict):
                parts.append(f"{key}: {mine[key]!r} / {theirs[key]!r}")
                continue
            for name in sorted(set(mine[key]) | set(theirs[key]), key=str):
                here, there = mine[key].get(name, "absent"), theirs[key].get(name, "absent")
                if here != there:
                    parts.append(f"{key}.{name}: {str(here)[:200]} / {str(there)[:200]}")
        return "; ".join(parts[:8])

    @classmethod
    def of(cls, editor_data: dict | None) -> "SceneModel":
        model = cls()
        if editor_data is not None:
            model.replace(editor_data)
        return model


def _fog_of_scene(fog: dict | None) -> dict | None:
    if fog is None:
        return None
    return {key: value for key, value in fog.items() if key != "name"}
