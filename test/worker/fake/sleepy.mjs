// A module that never finishes loading, while its thread lives.
setInterval(() => {}, 1000);
await new Promise(() => {});

export default () => 'never';
