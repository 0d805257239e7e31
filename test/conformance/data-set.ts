import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Digest, type DigestAlgorithm, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  [field: string]: unknown;
}

export interface PushedManifest {
  descriptor: Descriptor;
  bytes: Buffer;
  subject?: Digest | undefined;
  /** What the referrers API says of it, where it has a subject. */
  artifactType?: string | undefined;
  annotations?: Record<string, string> | undefined;
}

/** Blobs and manifests that belong together, the manifests in the order they are to be pushed. */
export class DataSet {
  readonly blobs = new Map<Digest, Buffer>();
  readonly manifests: PushedManifest[] = [];
  readonly #algorithm: DigestAlgorithm;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.#algorithm = algorithm;
  }

  blob(mediaType: string, bytes: Buffer = randomBytes(512)): Descriptor {
    const descriptor = this.describe(mediaType, bytes);
    this.blobs.set(descriptor.digest, bytes);
    return descriptor;
  }

  describe(mediaType: string, bytes: Buffer): Descriptor {
    return { mediaType, digest: digestOf(bytes, this.#algorithm), size: bytes.length };
  }

  /** An image manifest; its config and two layers are made up unless they are given. */
  image(fields: Record<string, unknown> = {}): Descriptor {
    const config = this.blob(
      imageConfig,
      Buffer.from(`{"made":"${randomBytes(8).toString("hex")}"}`),
    );
    const layers = [0, 1].map(() => this.blob(imageLayer, gzipSync(randomBytes(300))));
    return this.#manifest(mediaTypes.ociManifest, { config, layers, ...fields });
  }

  index(manifests: readonly Descriptor[], fields: Record<string, unknown> = {}): Descriptor {
    return this.#manifest(mediaTypes.ociIndex, { manifests, ...fields });
  }

  #manifest(mediaType: string, fields: Record<string, unknown>): Descriptor {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
    const descriptor = this.describe(mediaType, bytes);
    const { subject, config, artifactType, annotations } = fields as {
      [name in "subject" | "config"]?: Descriptor;
    } & { artifactType?: string; annotations?: Record<string, string> };
    this.manifests.push({
      descriptor,
      bytes,
      subject: subject?.digest,
      artifactType: artifactType ?? config?.mediaType,
      annotations,
    });
    return descriptor;
  }
}

export const imageConfig = "application/vnd.oci.image.config.v1+json";
export const imageLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
const emptyJson = Buffer.from("{}");

export function twoPlatforms(set: DataSet): Descriptor[] {
  return ["amd64", "arm64"].map((architecture) => ({
    ...set.image(),
    platform: { os: "linux", architecture },
  }));
}

/** The data sets of the conformance suite that any registry with validation has to take. */
export const dataSets: Record<string, (set: DataSet) => unknown> = {
  image: (set) => set.image(),
  "image without compression": (set) =>
    set.image({ layers: [set.blob("application/vnd.oci.image.layer.v1.tar")] }),
  "large manifest": (set) => set.image({ annotations: { "org.example": "x".repeat(3_900_000) } }),
  index: (set) => set.index(twoPlatforms(set)),
  "nested index": (set) => set.index([set.index(twoPlatforms(set)), set.index(twoPlatforms(set))]),
  "empty index": (set) => set.index([]),
  artifact: (set) => artifact(set),
  "index of artifacts": (set) => set.index([artifact(set), artifact(set)]),
  "artifact without layers": (set) => {
    const empty = set.blob(mediaTypes.empty, emptyJson);
    return set.image({ artifactType: artifactTypes[0], config: empty, layers: [empty] });
  },
  "artifacts with a subject": (set) => {
    const subject = set.image();
    for (const artifactType of artifactTypes) {
      artifact(set, { artifactType, subject, annotations: { "org.example": artifactType } });
    }
    set.image({ subject, config: set.blob(artifactTypes[0]) });
  },
  "index with a subject": (set) => {
    const subject = set.index(twoPlatforms(set));
    set.index(twoPlatforms(set), { subject, artifactType: artifactTypes[1] });
  },
  "missing subject": (set) => {
    const subject = set.describe(mediaTypes.ociManifest, randomBytes(100));
    artifact(set, { subject });
  },
  "data field": (set) => {
    const layer = set.blob(imageLayer);
    const data = set.blobs.get(layer.digest)?.toString("base64");
    set.image({ layers: [{ ...layer, data }] });
  },
  "layers that are not distributed": (set) => {
    const elsewhere = set.describe(
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      randomBytes(100),
    );
    const urls = [`https://store.example.com/blobs/${elsewhere.digest}`];
    set.image({ layers: [{ ...elsewhere, urls }, set.blob(imageLayer)] });
  },
  "custom fields": (set) => {
    const platforms = twoPlatforms(set).map((each) => ({ ...each, "org.example": { a: [1] } }));
    set.index(platforms, { "org.example.unknown": [null, { x: 1 }] });
  },
  "no layers": (set) => set.image({ layers: [] }),
};

/** What a registry takes that does not look whether everything is there. */
export const sparseSets: Record<string, (set: DataSet) => unknown> = {
  "image without a layer": (set) =>
    set.image({ layers: [set.blob(imageLayer), set.describe(imageLayer, randomBytes(9))] }),
  "index without a platform": (set) =>
    set.index([set.image(), set.describe(mediaTypes.ociManifest, randomBytes(9))]),
};

const artifactTypes = ["application/vnd.example.one", "application/vnd.example.two"] as const;

function artifact(set: DataSet, fields: Record<string, unknown> = {}): Descriptor {
  const config = set.blob(mediaTypes.empty, emptyJson);
  const layers = [set.blob("application/octet-stream")];
  return set.image({ artifactType: artifactTypes[0], config, layers, ...fields });
}
