import { mediaTypes } from "../../src/oci/manifest.ts";
import { openConnection } from "./connection.ts";
import { type Image, imageOf, manifestOf, pullImage, pushImage, putManifest } from "./image.ts";
import type { Scenario } from "./round.ts";
import type { Subject } from "./subject.ts";

type Way = "monolith" | "streamed";

const sizes = [1, 10, 100] as const;
const ways = [
  ["Push Monolith", "monolith"],
  ["Push Chunk Streamed", "streamed"],
] as const;
const pushPromises: Partial<Record<number, number>> = { 1: 1.5, 10: 1.5 };

/** Images of 1, 10 and 100 MB that every subject has. */
export async function seeded(subjects: readonly Subject[]): Promise<Map<number, Image>> {
  const images = new Map(sizes.map((size) => [size as number, imageOf(`seed-${size}`, size)]));
  for (const { address } of subjects) {
    const connection = await openConnection(address);
    for (const image of images.values()) await pushImage(connection, image, "monolith");
    connection.close();
  }
  return images;
}

/** The scenarios of zot's `zb` by its names, and two that a busy registry spends its time on. */
export function scenariosOn(images: ReadonlyMap<number, Image>): Scenario[] {
  const seed = (size: number) => images.get(size) ?? imageOf("none", size);
  const pulling = (size: number): Scenario["prepare"] => {
    const image = seed(size);
    return () => (connection) => pullImage(connection, image);
  };
  const mixedPull = (serial: number) =>
    pulling([1, 1, 10, 10, 10, 10, 10, 10, 10, 100][serial % 10] ?? 1)(serial);
  const both =
    (size: number): Scenario["prepare"] =>
    (serial) =>
      serial % 4 === 3 ? pushing(size, "monolith")(serial) : pulling(size)(serial);
  return [
    { ...loadOf(1), name: "Get Catalog", count: 100, prepare: asking("/v2/_catalog") },
    ...ways.flatMap(([name, way]) => [
      ...sizes.map((size) => ({
        ...{ ...loadOf(size), name: `${name} ${size}MB`, prepare: pushing(size, way) },
        ...(pushPromises[size] && { promised: pushPromises[size] }),
      })),
      {
        ...{ ...loadOf(100), name: `${name} Mixed`, count: 3 },
        prepare: (serial: number) => pushing(sizes[serial % 3] ?? 1, way)(serial),
      },
    ]),
    ...sizes.map((size) => ({ ...loadOf(size), name: `Pull ${size}MB`, prepare: pulling(size) })),
    {
      ...loadOf(10),
      name: "Pull Mixed 20% 1MB, 70% 10MB, 10% 100MB",
      count: 10,
      prepare: mixedPull,
    },
    ...sizes.map((size) => ({
      ...{ ...loadOf(size), count: Math.max(4, loadOf(size).count) },
      ...{ name: `Pull 75% and Push 25% Mixed ${size}MB`, prepare: both(size) },
    })),
    ...[1, 4, 16].flatMap((clients) => [
      manifestPut(seed(1), clients, "a new tag each", (name) => name),
      manifestPut(seed(1), clients, "one tag", () => "latest"),
    ]),
    {
      ...{ name: "manifest GET by tag", clients: 16, count: 1000, rounds: 5, promised: 3 },
      prepare: asking("/v2/seed-1/manifests/v1", { accept: mediaTypes.ociManifest }),
    },
    {
      ...{ name: "blob GET 1MB", clients: 16, count: 150, rounds: 5, promised: 2 },
      prepare: asking(`/v2/seed-1/blobs/${seed(1).layer.digest}`),
    },
  ];
}

/** Where the disk is not the limit. */
export const inMemoryScenario: Scenario = {
  ...{ name: "Push Monolith 100MB in /dev/shm", clients: 1, count: 1, rounds: 5, promised: 1.5 },
  prepare: pushing(100, "monolith"),
};

/** Manifests that are all different, of blobs that are there. */
function manifestPut(
  image: Image,
  clients: number,
  kind: string,
  tagOf: (name: string) => string,
): Scenario {
  return {
    ...{ name: `manifest PUT, ${kind}, ${clients} clients`, clients, count: 300, rounds: 5 },
    prepare() {
      const name = crypto.randomUUID();
      const target = `/v2/${image.repository}/manifests/${tagOf(name)}`;
      const manifest = manifestOf(image, name);
      return (connection) => putManifest(connection, target, manifest);
    },
  };
}

function loadOf(size: number) {
  if (size === 1) return { clients: 4, count: 24, rounds: 5 };
  return size === 10 ? { clients: 4, count: 8, rounds: 3 } : { clients: 2, count: 2, rounds: 3 };
}

function asking(target: string, headers = {}): Scenario["prepare"] {
  return () => (connection) => connection.exchange(target, { headers, status: 200 });
}

function pushing(size: number, way: Way): Scenario["prepare"] {
  return () => {
    const image = imageOf(`pushed-${crypto.randomUUID()}`, size);
    return (connection) => pushImage(connection, image, way);
  };
}
