import { expect, it } from "vitest";
import { appNameOf } from "./app-name.ts";

it.each([
  ["ghr://linyows/myapp", "myapp"],
  ["ghr://linyows/myapp?pre-release=true&artifact=a/b.tar", "myapp"],
  ["img://ghcr.io/owner/app:v1", "app"],
  ["img://localhost:5000/app", "app"],
  ["s3://ap-northeast-1/my-releases/my app/", "my-app"],
  ["gs://bucket", "bucket"],
  ["grpc://localhost:9000?no-tls=true", "place"],
  ["img://user:password@host", "place"],
])("calls the app of %s %s", (registry, name) => {
  expect(appNameOf(registry, "/srv/place")).toBe(name);
});

it("finds a name where there is none", () => {
  expect(appNameOf("grpc://host:1", "/")).toBe("app");
});
