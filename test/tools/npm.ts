/** The environment without what the npm that runs a test tells its children. */
export const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
