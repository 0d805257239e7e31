import { describe, expect, it } from "vitest";
import { bucketArtifactPlace } from "./artifact-place.ts";
import { gcsPlace } from "./bucket-place.ts";

describe("bucketArtifactPlace", () => {
  it.each([
    ["s3://eu-west-1/releases/v1.0.0/app.zip", "eu-west-1/releases"],
    ["s3://eu-west-1/releases/app/v1.0.0/app.zip?endpoint=http://a.test", "eu-west-1/releases/app"],
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
