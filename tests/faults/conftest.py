"""How often `test_kills` kills, and with which seed."""


def pytest_addoption(parser):
    parser.addoption("--all-kills", action="store_true", help="kill the whole workflow at every stage: minutes")
    parser.addoption("--kill-seed", type=int, default=0, help="seed of the moments at which it is killed")
