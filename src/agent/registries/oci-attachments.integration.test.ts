import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "../../oci/oci.fake.ts";
import { openReleaseRegistry } from "./index.ts";

const repository = "acme/app";
const file = Buffer.from("the artifact");
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const signingType = "application/vnd.dev.cosign.simplesigning.v1+json";

it.each([true, false])(
  "finds what is signed under cosign's tags and in the list of referrers (the server's: %s)",
  async (listsReferrers) => {
    const fake = await serveFakeOciRegistry();
    fake.listsReferrers = listsReferrers;
    const { top, child } = pushIndex(fake);
    const annotations = { "dev.cosignproject.cosign/signature": "MEUC" };
    attach(fake, { tag: tagOf(top, "sig"), mediaType: signingType, text: "top", annotations });
    attach(fake, { subject: child, mediaType: bundleType, text: "child" });

    const found = await attachmentsOf(fake);

    expect(found).toMatchObject([
      { subject: top, mediaType: signingType, text: "top", annotations },
      { subject: child, artifactType: bundleType, mediaType: bundleType, text: "child" },
    ]);
  },
);

it("passes over the records of deployments, however many there are", async () => {
  const fake = await serveFakeOciRegistry();
  const { top } = pushIndex(fake);
  for (let host = 0; host < 120; host++) {
    attach(fake, { subject: top, mediaType: "application/vnd.dewy.audit", text: `host ${host}` });
  }
  attach(fake, { subject: top, mediaType: bundleType, text: "signed" });
  fake.requests.length = 0;

  expect((await attachmentsOf(fake)).map(({ text }) => text)).toEqual(["signed"]);
  expect(fake.requests.length).toBeLessThan(20);
});

it("finds nothing for a file that what is under the tag does not name", async () => {
  const fake = await serveFakeOciRegistry();
  const { top } = pushIndex(fake);
  attach(fake, { subject: top, mediaType: bundleType, text: "signed" });

  expect(await attachmentsOf(fake, digestOf("another file"))).toEqual([]);
});

it("refuses a signature whose bytes are not those of its digest", async () => {
  const fake = await serveFakeOciRegistry();
  const { top } = pushIndex(fake);
  const digest = attach(fake, { subject: top, mediaType: bundleType, text: "signed" });
  fake.blobs.set(digest, Buffer.from("forged"));

  await expect(attachmentsOf(fake)).rejects.toMatchObject({
    code: "INVALID_ANSWER",
    message: expect.stringContaining(`expected ${digest}, received ${digestOf("forged")}`),
  });
});

/** An index over one platform, whose manifest names the file. */
function pushIndex(fake: FakeOciRegistry): { top: Digest; child: Digest } {
  const title = { "org.opencontainers.image.title": "app" };
  const child = fake.tag(repository, "", {
    ...{ schemaVersion: 2, config: descriptorOf(fake, "{}", "application/json") },
    layers: [{ ...descriptorOf(fake, file, "application/gzip"), annotations: title }],
  }) as Digest;
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifests = [{ mediaType, digest: child, size: 1 }];
  const top = fake.tag(repository, "v1.0.0", { schemaVersion: 2, manifests }) as Digest;
  return { top, child };
}

interface Attached {
  /** With a subject it is a referrer, with a tag it is cosign's. */
  subject?: Digest;
  tag?: string;
  mediaType: string;
  text: string;
  annotations?: Record<string, string>;
}

/** @returns the digest of what is attached */
function attach(fake: FakeOciRegistry, { subject, tag = "", ...attached }: Attached): Digest {
  const { mediaType, text, annotations } = attached;
  const layer = { ...descriptorOf(fake, text, mediaType), annotations };
  const about = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: subject,
    size: 1,
  };
  const artifactType = subject && mediaType;
  const content = {
    ...{ schemaVersion: 2, config: descriptorOf(fake, "{}", "application/json"), layers: [layer] },
    ...(subject && { artifactType, subject: about }),
  };
  const digest = fake.tag(repository, tag, content);
  if (subject && !fake.listsReferrers) {
    const manifests = [{ mediaType: about.mediaType, digest, size: 1, artifactType }];
    fake.tag(repository, subject.replace(":", "-"), { schemaVersion: 2, manifests });
  }
  return layer.digest;
}

function descriptorOf(fake: FakeOciRegistry, content: string | Buffer, mediaType: string) {
  const bytes = Buffer.from(content);
  const digest = digestOf(bytes);
  fake.blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

const tagOf = (digest: Digest, ending: string) => `${digest.replace(":", "-")}.${ending}`;

async function attachmentsOf(fake: FakeOciRegistry, digest = digestOf(file)) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const parts = { http, clock: systemClock, environment: {}, credentials: async () => undefined };
  const { registry } = await openReleaseRegistry(`img://${fake.host}/${repository}`, parts);
  const call = { signal: AbortSignal.timeout(10_000) };
  const release = await registry.release("v1.0.0", call);
  const [artifact] = release?.artifacts ?? [];
  if (artifact === undefined) throw new Error("there is a release");
  const found = [];
  const wanted = { ...artifact, digest };
  for await (const one of registry.attachments?.({ tag: "v1.0.0", artifact: wanted }, call) ?? []) {
    found.push({ ...one, text: String(one.bytes) });
  }
  return found;
}
