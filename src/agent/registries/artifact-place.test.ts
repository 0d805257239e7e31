import { describe, expect, it } from "vitest";
import { bucketArtifactPlace, ociArtifactPlace } from "./artifact-place.ts";
import { gcsPlace } from "./bucket-place.ts";

describe("bucketArtifactPlace", () => {
  it.each([
    ["s3://eu-west-1/releases/v1.0.0/app.zip", "eu-west-1/releases"],
    [
      "s3://eu-west-1/releases/app/v1.0.0/app.zip?endpoint=https://a.test",
      "eu-west-1/releases/app",
    ],
    ["gs://releases/v1.0.0/app.zip", "releases"],
    ["gs://releases/team/app/v1.0.0/app.zip", "releases/team%2Fapp"],
  ])("reads %s: a release in %s", (url, place) => {
    const read = bucketArtifactPlace(url);

    expect(read).toMatchObject({ registry: { place }, tag: "v1.0.0", artifact: "app.zip" });
  });

  it("takes the first part of gs:// for the bucket, however long the path is", () => {
    const { registry } = bucketArtifactPlace("gs://releases/team/app/v1.0.0/app.zip");

    expect(gcsPlace(registry)).toEqual({ bucket: "releases", prefix: "team/app/" });
  });

  it.each(["s3://eu-west-1/releases/app.zip", "gs://releases/app.zip", "gs://"])(
    "refuses %s",
    (url) => expect(() => bucketArtifactPlace(url)).toThrow("names no file of a release"),
  );
});

it.each([
  "s3://eu-west-1/releases/v1.0.0/app.zip?endpoint=http://a.test",
  "s3://eu-west-1/releases/v1.0.0/app.zip?endpoint=HTTP://a.test",
  "img://a.test/app:v1.0.0?insecure=true",
])("sends no credentials over plain HTTP because a registry announces %s", (url) => {
  const read = url.startsWith("img") ? ociArtifactPlace : bucketArtifactPlace;

  expect(() => read(url)).toThrow("plain HTTP");
});

it("takes an endpoint on this machine", () => {
  const url = "s3://eu-west-1/releases/v1.0.0/app.zip?endpoint=http://127.0.0.1:9000";

  expect(bucketArtifactPlace(url).tag).toBe("v1.0.0");
});
