import type { Message } from "@bufbuild/protobuf";
import {
  fileDesc,
  type GenMessage,
  type GenService,
  messageDesc,
  serviceDesc,
} from "@bufbuild/protobuf/codegenv2";

/**
 * `otlp.proto`, compiled by `protoc-gen-es`; kept here so that the build needs no compiler. What the
 * fields mean stands in opentelemetry-proto.
 */
const file = fileDesc(
  [
    "CgpvdGxwLnByb3RvEihvcGVudGVsZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxInIKG0V4cG9ydE1ldHJp",
    "Y3NTZXJ2aWNlUmVxdWVzdBJTChByZXNvdXJjZV9tZXRyaWNzGAEgAygLMjkub3BlbnRlbGVtZXRyeS5wcm90by5jb2xs",
    "ZWN0b3IubWV0cmljcy52MS5SZXNvdXJjZU1ldHJpY3MifgocRXhwb3J0TWV0cmljc1NlcnZpY2VSZXNwb25zZRJeCg9w",
    "YXJ0aWFsX3N1Y2Nlc3MYASABKAsyRS5vcGVudGVsZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxLkV4cG9y",
    "dE1ldHJpY3NQYXJ0aWFsU3VjY2VzcyJSChtFeHBvcnRNZXRyaWNzUGFydGlhbFN1Y2Nlc3MSHAoUcmVqZWN0ZWRfZGF0",
    "YV9wb2ludHMYASABKAMSFQoNZXJyb3JfbWVzc2FnZRgCIAEoCSKmAQoPUmVzb3VyY2VNZXRyaWNzEkQKCHJlc291cmNl",
    "GAEgASgLMjIub3BlbnRlbGVtZXRyeS5wcm90by5jb2xsZWN0b3IubWV0cmljcy52MS5SZXNvdXJjZRJNCg1zY29wZV9t",
    "ZXRyaWNzGAIgAygLMjYub3BlbnRlbGVtZXRyeS5wcm90by5jb2xsZWN0b3IubWV0cmljcy52MS5TY29wZU1ldHJpY3Mi",
    "UgoIUmVzb3VyY2USRgoKYXR0cmlidXRlcxgBIAMoCzIyLm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJp",
    "Y3MudjEuS2V5VmFsdWUioAEKDFNjb3BlTWV0cmljcxJNCgVzY29wZRgBIAEoCzI+Lm9wZW50ZWxlbWV0cnkucHJvdG8u",
    "Y29sbGVjdG9yLm1ldHJpY3MudjEuSW5zdHJ1bWVudGF0aW9uU2NvcGUSQQoHbWV0cmljcxgCIAMoCzIwLm9wZW50ZWxl",
    "bWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3MudjEuTWV0cmljIjUKFEluc3RydW1lbnRhdGlvblNjb3BlEgwKBG5h",
    "bWUYASABKAkSDwoHdmVyc2lvbhgCIAEoCSKLAgoGTWV0cmljEgwKBG5hbWUYASABKAkSEwoLZGVzY3JpcHRpb24YAiAB",
    "KAkSDAoEdW5pdBgDIAEoCRJACgVnYXVnZRgFIAEoCzIvLm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJp",
    "Y3MudjEuR2F1Z2VIABI8CgNzdW0YByABKAsyLS5vcGVudGVsZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYx",
    "LlN1bUgAEkgKCWhpc3RvZ3JhbRgJIAEoCzIzLm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3MudjEu",
    "SGlzdG9ncmFtSABCBgoEZGF0YSJXCgVHYXVnZRJOCgtkYXRhX3BvaW50cxgBIAMoCzI5Lm9wZW50ZWxlbWV0cnkucHJv",
    "dG8uY29sbGVjdG9yLm1ldHJpY3MudjEuTnVtYmVyRGF0YVBvaW50Is4BCgNTdW0STgoLZGF0YV9wb2ludHMYASADKAsy",
    "OS5vcGVudGVsZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxLk51bWJlckRhdGFQb2ludBJhChdhZ2dyZWdh",
    "dGlvbl90ZW1wb3JhbGl0eRgCIAEoDjJALm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3MudjEuQWdn",
    "cmVnYXRpb25UZW1wb3JhbGl0eRIUCgxpc19tb25vdG9uaWMYAyABKAgiwQEKCUhpc3RvZ3JhbRJRCgtkYXRhX3BvaW50",
    "cxgBIAMoCzI8Lm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3MudjEuSGlzdG9ncmFtRGF0YVBvaW50",
    "EmEKF2FnZ3JlZ2F0aW9uX3RlbXBvcmFsaXR5GAIgASgOMkAub3BlbnRlbGVtZXRyeS5wcm90by5jb2xsZWN0b3IubWV0",
    "cmljcy52MS5BZ2dyZWdhdGlvblRlbXBvcmFsaXR5IqIBCg9OdW1iZXJEYXRhUG9pbnQSHAoUc3RhcnRfdGltZV91bml4",
    "X25hbm8YAiABKAYSFgoOdGltZV91bml4X25hbm8YAyABKAYSEQoJYXNfZG91YmxlGAQgASgBEkYKCmF0dHJpYnV0ZXMY",
    "ByADKAsyMi5vcGVudGVsZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxLktleVZhbHVlIusBChJIaXN0b2dy",
    "YW1EYXRhUG9pbnQSHAoUc3RhcnRfdGltZV91bml4X25hbm8YAiABKAYSFgoOdGltZV91bml4X25hbm8YAyABKAYSDQoF",
    "Y291bnQYBCABKAYSEAoDc3VtGAUgASgBSACIAQESFQoNYnVja2V0X2NvdW50cxgGIAMoBhIXCg9leHBsaWNpdF9ib3Vu",
    "ZHMYByADKAESRgoKYXR0cmlidXRlcxgJIAMoCzIyLm9wZW50ZWxlbWV0cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3Mu",
    "djEuS2V5VmFsdWVCBgoEX3N1bSJaCghLZXlWYWx1ZRILCgNrZXkYASABKAkSQQoFdmFsdWUYAiABKAsyMi5vcGVudGVs",
    "ZW1ldHJ5LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxLkFueVZhbHVlIisKCEFueVZhbHVlEhYKDHN0cmluZ192YWx1",
    "ZRgBIAEoCUgAQgcKBXZhbHVlKowBChZBZ2dyZWdhdGlvblRlbXBvcmFsaXR5EicKI0FHR1JFR0FUSU9OX1RFTVBPUkFM",
    "SVRZX1VOU1BFQ0lGSUVEEAASIQodQUdHUkVHQVRJT05fVEVNUE9SQUxJVFlfREVMVEEQARImCiJBR0dSRUdBVElPTl9U",
    "RU1QT1JBTElUWV9DVU1VTEFUSVZFEAIyqgEKDk1ldHJpY3NTZXJ2aWNlEpcBCgZFeHBvcnQSRS5vcGVudGVsZW1ldHJ5",
    "LnByb3RvLmNvbGxlY3Rvci5tZXRyaWNzLnYxLkV4cG9ydE1ldHJpY3NTZXJ2aWNlUmVxdWVzdBpGLm9wZW50ZWxlbWV0",
    "cnkucHJvdG8uY29sbGVjdG9yLm1ldHJpY3MudjEuRXhwb3J0TWV0cmljc1NlcnZpY2VSZXNwb25zZWIGcHJvdG8z",
  ].join(""),
);

const cumulative = 2;
type AggregationTemporality = typeof cumulative;
/** `AGGREGATION_TEMPORALITY_CUMULATIVE`: each value counts from `startTimeUnixNano`. */
export const aggregationTemporality: AggregationTemporality = cumulative;

type In<Name extends string> = Message<`opentelemetry.proto.collector.metrics.v1.${Name}`>;

export type KeyValue = In<"KeyValue"> & { key: string; value?: AnyValue };
type AnyValue = In<"AnyValue"> & {
  value: { case: "stringValue"; value: string } | { case: undefined; value?: undefined };
};
type Point = {
  startTimeUnixNano: bigint;
  timeUnixNano: bigint;
  attributes: KeyValue[];
};
type NumberDataPoint = In<"NumberDataPoint"> & Point & { asDouble: number };
type HistogramDataPoint = In<"HistogramDataPoint"> &
  Point & { count: bigint; sum?: number; bucketCounts: bigint[]; explicitBounds: number[] };

type Gauge = In<"Gauge"> & { dataPoints: NumberDataPoint[] };
type Sum = In<"Sum"> & {
  dataPoints: NumberDataPoint[];
  aggregationTemporality: AggregationTemporality;
  isMonotonic: boolean;
};
type Histogram = In<"Histogram"> & {
  dataPoints: HistogramDataPoint[];
  aggregationTemporality: AggregationTemporality;
};
export type Metric = In<"Metric"> & {
  name: string;
  description: string;
  unit: string;
  data:
    | { case: "gauge"; value: Gauge }
    | { case: "sum"; value: Sum }
    | { case: "histogram"; value: Histogram }
    | { case: undefined; value?: undefined };
};

type InstrumentationScope = In<"InstrumentationScope"> & { name: string; version: string };
type ScopeMetrics = In<"ScopeMetrics"> & { scope?: InstrumentationScope; metrics: Metric[] };
type Resource = In<"Resource"> & { attributes: KeyValue[] };
type ResourceMetrics = In<"ResourceMetrics"> & {
  resource?: Resource;
  scopeMetrics: ScopeMetrics[];
};
type ExportMetricsServiceRequest = In<"ExportMetricsServiceRequest"> & {
  resourceMetrics: ResourceMetrics[];
};
type PartialSuccess = In<"ExportMetricsPartialSuccess"> & {
  rejectedDataPoints: bigint;
  errorMessage: string;
};
type ExportMetricsServiceResponse = In<"ExportMetricsServiceResponse"> & {
  partialSuccess?: PartialSuccess;
};

export const RequestSchema: GenMessage<ExportMetricsServiceRequest> = messageDesc(file, 0);
export const ResponseSchema: GenMessage<ExportMetricsServiceResponse> = messageDesc(file, 1);

/** For a client and a server alike. */
export const MetricsService: GenService<{
  export: { methodKind: "unary"; input: typeof RequestSchema; output: typeof ResponseSchema };
}> = serviceDesc(file, 0);
