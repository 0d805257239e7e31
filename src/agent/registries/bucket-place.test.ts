import { describe, expect, it } from "vitest";
import { gcsPlace, s3Place } from "./bucket-place.ts";
import { parseLocation } from "./location.ts";

describe("gcsPlace", () => {
  it.each([
    ["gs://releases", "releases", ""],
    ["gs://releases/app", "releases", "app/"],
    ["gs://my-project/releases/app", "releases", "app/"],
    ["gs://my-project/releases/team/app", "releases", "team/app/"],
    ["gs://example.com:project/releases/app/", "releases", "app/"],
    ["gs://releases/team%2Fapp", "releases", "team/app/"],
    ["gs://releases/two%20words", "releases", "two words/"],
  ])("reads %s: the bucket %s, the prefix %j", (url, bucket, prefix) => {
    expect(gcsPlace(parseLocation(url))).toEqual({ bucket, prefix });
  });
});

describe("s3Place", () => {
  it.each([
    ["s3://eu-west-1/releases", ""],
    ["s3://eu-west-1/releases/", ""],
    ["s3://eu-west-1/releases/team/app", "team/app/"],
    ["s3://eu-west-1/releases/team%2Fapp", "team/app/"],
  ])("reads %s: the prefix %j", (url, prefix) => {
    const place = { region: "eu-west-1", bucket: "releases", prefix };

    expect(s3Place(parseLocation(url))).toEqual(place);
  });
});
