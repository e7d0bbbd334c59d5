// A shape: one mesh of a three.js scene, as JSON. The page shows and changes its place, colour and
// name; whatever else the mesh has is kept as it came.

// Of the kinds that the page draws: three.js' own class, and the parameters of a new one.
export const kinds = {
  box: { label: "Box", geometry: { type: "BoxGeometry", width: 1.5, height: 1.5, depth: 1.5 } },
  sphere: { label: "Sphere", geometry: { type: "SphereGeometry", radius: 0.85 } },
  cone: { label: "Cone", geometry: { type: "ConeGeometry", radius: 0.85, height: 1.8 } },
  cylinder: {
    label: "Cylinder",
    geometry: { type: "CylinderGeometry", radiusTop: 0.7, radiusBottom: 0.7, height: 1.6 },
  },
  ring: { label: "Ring", geometry: { type: "TorusGeometry", radius: 0.65, tube: 0.22 } },
};

const kindOfGeometry = new Map([
  ...Object.entries(kinds).map(([kind, { geometry }]) => [geometry.type, kind]),
  ["IcosahedronGeometry", "sphere"], ["DodecahedronGeometry", "sphere"],
  ["OctahedronGeometry", "sphere"], ["CapsuleGeometry", "cylinder"], ["CircleGeometry", "sphere"],
  ["TetrahedronGeometry", "cone"], ["TorusKnotGeometry", "ring"], ["RingGeometry", "ring"],
  ["PlaneGeometry", "box"],
]);

export const palette = {
  blue: "#4f8fc0", amber: "#e0a458", green: "#6aa67a", red: "#c96f6f", violet: "#8d79b8",
  teal: "#3f9c9a", pink: "#d98cb3", grey: "#8a8f98",
};

// What of the world the stage shows, in three.js units; y goes up.
export const world = { left: -6, right: 6, top: 4, bottom: -4 };
const margin = 0.8;
const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const metadata = { version: 4.7, type: "Object", generator: "Object3D.toJSON" };

// crypto.randomUUID is there on https and localhost only.
export function newUUID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const parts = [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]];
  return parts.map(([from, to]) => hex.slice(from, to)).join("-").toUpperCase();
}

export class Shape {
  constructor(node, geometry, material, origin = { x: 0, y: 0 }) {
    this.node = node;
    this.geometry = geometry;
    this.material = material;
    this.origin = origin;
  }

  static make(kind, color, place, name) {
    const geometry = { uuid: newUUID(), ...kinds[kind].geometry };
    const material = {
      uuid: newUUID(), type: "MeshStandardMaterial", color: integerOf(color), roughness: 0.7,
      metalness: 0,
    };
    const node = {
      uuid: newUUID(), type: "Mesh", name, layers: 1, matrix: [...identity], up: [0, 1, 0],
      geometry: geometry.uuid, material: material.uuid,
    };
    const shape = new Shape(node, geometry, material);
    shape.moveTo(place.x, place.y);
    return shape;
  }

  get uuid() { return this.node.uuid; }
  get name() {
    const { name } = this.node;
    return typeof name === "string" && name ? name : "Shape";
  }

  get kind() { return kindOfGeometry.get(this.geometry?.type) ?? "box"; }
  get x() { return this.origin.x + this.#matrix[12]; }
  get y() { return this.origin.y + this.#matrix[13]; }
  get color() { return colorOf(this.material?.color); }

  get scale() {
    const [a, b, c] = this.#matrix;
    const length = Math.hypot(a, b, c);
    return Math.min(Math.max(Number.isFinite(length) ? length : 1, 0.3), 4);
  }

  get #matrix() {
    const { matrix } = this.node;
    return Array.isArray(matrix) && matrix.length === 16 && matrix.every(Number.isFinite)
      ? matrix : identity;
  }

  // Keeps the shape where everybody can reach it.
  moveTo(x, y) {
    const matrix = [...this.#matrix];
    matrix[12] = rounded(clamp(x, world.left + margin, world.right - margin) - this.origin.x);
    matrix[13] = rounded(clamp(y, world.bottom + margin, world.top - margin) - this.origin.y);
    this.node = { ...this.node, matrix };
  }

  paint(color) { this.material = { ...this.material, color: integerOf(color) }; }

  // Takes over what another member changed, but not what of it waits to be sent from here.
  merge(other, pending) {
    const { matrix } = this.node;
    const { color } = this.material;
    this.node = other.node;
    this.geometry = other.geometry ?? this.geometry;
    this.material = other.material ?? this.material;
    if (pending.has("general") || pending.has("object-added")) this.node = { ...this.node, matrix };
    if (pending.has("material-change") || pending.has("object-added")) {
      this.material = { ...this.material, color };
    }
  }

  // What `Object3D.toJSON()` gives.
  get objectData() {
    return {
      metadata,
      geometries: this.geometry ? [this.geometry] : [],
      materials: this.material?.uuid ? [this.material] : [],
      object: this.node,
    };
  }

  update(changeType) {
    return { objectData: this.objectData, objectUuid: this.uuid, changeType };
  }

  removal() {
    return {
      objectId: this.uuid, objectType: this.node.type ?? "Mesh", objectName: this.name,
      timestamp: Date.now(),
    };
  }
}

// The shapes of a scene's JSON, groups opened.
export function shapesOfScene(scene) {
  const found = [];
  const geometries = library(scene?.geometries);
  collect(scene?.object, geometries, library(scene?.materials), { x: 0, y: 0 }, found);
  return found;
}

// The shape of an update. Null if it is about something that the page does not draw.
export function shapeOfUpdate(data, known) {
  const node = data?.object ?? data;
  if (!isMesh(node)) return null;
  const geometry = library(data.geometries).get(node.geometry) ?? known?.geometry ?? null;
  const material = library(data.materials).get(first(node.material)) ?? known?.material ?? null;
  return new Shape(withoutChildren(node), geometry, material ?? {}, known?.origin);
}

// An editor's state (CONTRACT § 8) for a new room.
export function emptyEditor() {
  const object = (type, more = {}) => ({
    uuid: newUUID(), type, name: type, layers: 1, matrix: [...identity], up: [0, 1, 0], ...more,
  });
  const camera = object("PerspectiveCamera", {
    name: "Camera", matrix: [...identity.slice(0, 12), 0, 0, 10, 1], fov: 50, zoom: 1, near: 0.01,
    far: 1000, aspect: 4 / 3,
  });
  return {
    metadata: {},
    project: { shadows: true, shadowType: 1, toneMapping: 0, toneMappingExposure: 1 },
    camera: { metadata, object: camera },
    scene: {
      metadata, geometries: [], materials: [], textures: [], images: [],
      object: object("Scene", { children: [] }),
    },
    scripts: {},
    history: { undos: [], redos: [] },
    environment: null,
  };
}

// The name of the colour of the palette that is nearest, for those who hear the page.
export function colorName(color) {
  const [r, g, b] = channels(color);
  const distance = ([, other]) => {
    const [x, y, z] = channels(other);
    return (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
  };
  return Object.entries(palette).sort((one, two) => distance(one) - distance(two))[0][0];
}

function collect(node, geometries, materials, origin, found, depth = 0) {
  if (node === null || typeof node !== "object" || depth > 50) return;
  let own = origin;
  if (isMesh(node)) {
    const geometry = geometries.get(node.geometry) ?? null;
    const material = materials.get(first(node.material)) ?? {};
    const shape = new Shape(withoutChildren(node), geometry, material, origin);
    found.push(shape);
    own = { x: shape.x, y: shape.y };
  } else if (Array.isArray(node.matrix) && depth > 0) {
    const [x, y] = [12, 13].map((at) => Number(node.matrix[at]) || 0);
    own = { x: origin.x + x, y: origin.y + y };
  }
  for (const child of Array.isArray(node.children) ? node.children : []) {
    collect(child, geometries, materials, own, found, depth + 1);
  }
}

const isMesh = (node) => typeof node?.uuid === "string" && node.type === "Mesh";
const first = (value) => (Array.isArray(value) ? value[0] : value);
const library = (list) => new Map((Array.isArray(list) ? list : []).map((one) => [one?.uuid, one]));
const withoutChildren = ({ children, ...own }) => own;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (value) => Math.round(value * 1000) / 1000;
const integerOf = (color) => Number.parseInt(color.slice(1), 16);
const channels = (color) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

function colorOf(value) {
  const number = Number.isInteger(value) && value >= 0 && value <= 0xffffff ? value : 0xb8bcc4;
  return `#${number.toString(16).padStart(6, "0")}`;
}
