// Many threads at the queue of csrc/runtime: every ticket comes once, and only once.
//   stress WORKERS PRODUCERS TICKETS NODES MICROSECONDS [cancel]
// Workers sleep for up to so many microseconds over a ticket, as if they had a picture to cut.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "runtime/work_queue.h"

using hades::QueueResult;

int main(int count, char** arguments) {
    if (count < 6) return 2;
    const int workers = std::atoi(arguments[1]), producers = std::atoi(arguments[2]);
    const int tickets = std::atoi(arguments[3]), nodes = std::atoi(arguments[4]);
    const int longest = std::atoi(arguments[5]);
    const bool is_cancelled = count > 6 && !std::strcmp(arguments[6], "cancel");
    std::vector<int> distances(static_cast<size_t>(nodes * nodes));
    for (int a = 0; a < nodes; ++a)
        for (int b = 0; b < nodes; ++b) distances[a * nodes + b] = 10 + 2 * std::abs(a - b);
    constexpr int64_t kBytes = 100;
    hades::WorkQueue queue(nodes, 64, 40 * kBytes, distances.data());

    std::vector<std::atomic<int>> came(static_cast<size_t>(tickets));
    std::atomic<int64_t> pushed{0}, popped{0}, most{0};
    std::vector<std::thread> threads;
    for (int worker = 0; worker < workers; ++worker)
        threads.emplace_back([&, worker] {
            std::minstd_rand random(static_cast<unsigned>(worker));
            uint64_t ticket;
            QueueResult result;
            while ((result = queue.pop(&ticket, worker % nodes, -1)) == QueueResult::done) {
                came[ticket].fetch_add(1);
                popped.fetch_add(1);
                if (longest)
                    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
                int64_t seen = most.load(), held = queue.bytes();
                while (held > seen && !most.compare_exchange_weak(seen, held)) {
                }
                queue.give_back(kBytes);
            }
        });
    std::vector<std::thread> givers;
    for (int producer = 0; producer < producers; ++producer)
        givers.emplace_back([&, producer] {
            for (int i = producer; i < tickets; i += producers) {
                if (queue.push(i, kBytes, i % nodes, -1) != QueueResult::done) return;
                pushed.fetch_add(1);
            }
        });
    if (is_cancelled) {
        while (popped.load() < tickets / 2) std::this_thread::yield();
        queue.cancel();
    }
    for (std::thread& giver : givers) giver.join();
    queue.close();
    for (std::thread& thread : threads) thread.join();
    uint64_t ticket;
    while (queue.drain(&ticket)) {
        came[ticket].fetch_add(1);
        queue.give_back(kBytes);
    }
    int64_t total = 0, twice = 0;
    for (const std::atomic<int>& times : came) {
        total += times.load();
        twice += times.load() > 1;
    }
    std::printf(
        "%ld pushed, %ld came, %ld twice, at most %ld bytes, %ld tickets and %ld bytes left\n",
        static_cast<long>(pushed.load()), static_cast<long>(total), static_cast<long>(twice),
        static_cast<long>(most.load()), static_cast<long>(queue.tickets()),
        static_cast<long>(queue.bytes()));
    const bool is_whole = is_cancelled || pushed.load() == tickets;
    const bool is_right = total == pushed.load() && twice == 0 && most.load() <= 40 * kBytes &&
                          queue.tickets() == 0 && queue.bytes() == 0;
    return is_whole && is_right ? 0 : 1;
}
