export default () => <p class="empty">To be written.</p>;
