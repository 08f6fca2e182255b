export type { Metadata } from './event';
export { start, type Analytics, type Call, type Settings } from './tracker';
